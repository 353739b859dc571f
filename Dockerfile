# One image for the server and for all five experiments, with libchatllm built from your own checkout in chatllm.cpp/.
# An empty chatllm.cpp/ builds too: then there is the profile "embedded". How to use it: docs/docker.md

# ---- the native library
FROM debian:bookworm-slim AS library
ARG BUILD_THREADS=22
# ON builds for the processor that builds; OFF for an image that goes to other machines.
ARG GGML_NATIVE=ON
# hadolint ignore=DL3008
RUN apt-get update \
    && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends cmake g++ make \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /opt/chatllm.cpp
COPY chatllm.cpp/ ./
RUN mkdir -p bindings build/lib \
    && if [ -f CMakeLists.txt ]; then \
         cmake -S . -B build -DCMAKE_BUILD_TYPE=Release -DGGML_NATIVE="$GGML_NATIVE" \
         && cmake --build build --target libchatllm --parallel "$BUILD_THREADS"; \
       else \
         echo "chatllm.cpp/ is empty: this image will have the profile embedded alone"; \
       fi

# ---- the Python package, in a virtual environment that moves as a whole
FROM debian:bookworm-slim AS package
ARG EXTRAS=embedded,serve
# hadolint ignore=DL3008
RUN apt-get update \
    && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends python3 python3-venv \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY pyproject.toml README.md LICENSE experiments.toml ./
COPY orchestrator/ orchestrator/
COPY worker/ worker/
COPY samples/ samples/
COPY models/ models/
COPY results/ results/
RUN --mount=type=cache,target=/root/.cache/pip \
    python3 -m venv /opt/orchestrator && /opt/orchestrator/bin/pip install ".${EXTRAS:+[$EXTRAS]}"

# ---- what runs
FROM debian:bookworm-slim
# hadolint ignore=DL3008
RUN apt-get update \
    && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends ffmpeg libgomp1 python3 \
    && rm -rf /var/lib/apt/lists/*
COPY --from=library /opt/chatllm.cpp/bindings/ /opt/chatllm.cpp/bindings/
COPY --from=library /opt/chatllm.cpp/build/lib/ /opt/chatllm.cpp/build/lib/
COPY --from=package /opt/orchestrator/ /opt/orchestrator/
# INFERENCE_THREADS empty: 6, or the cores there are if fewer. HOME: whoever --user says can write there.
ENV PATH=/opt/orchestrator/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    CHATLLM_LIB=/opt/chatllm.cpp/bindings/libchatllm.so \
    INFERENCE_THREADS="" \
    CONTEXT_LENGTH=4096 \
    HOME=/tmp \
    PYTHONUNBUFFERED=1
USER 1000:1000
WORKDIR /workspace
EXPOSE 8000
ENTRYPOINT ["orchestrator"]
# Every address of the container is open to others: without ORCHESTRATOR_API_KEY it says so and does not begin.
CMD ["serve", "--host", "0.0.0.0"]
