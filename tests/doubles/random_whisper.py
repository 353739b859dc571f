"""Make a tiny Whisper model of random weights, for the real library: it runs, and what it hears is nonsense.

    python tests/doubles/random_whisper.py FOLDER

Needs ``ctranslate2`` and ``tokenizers``, which come with the extra ``faster-whisper``; nothing is fetched.
"""

import json
import sys
from pathlib import Path

import numpy as np

WIDTH, LAYERS, HEADS, MELS = 64, 2, 2, 80
LANGUAGES = ("en", "zh", "de")
SPECIAL = (
    "<|endoftext|>",
    "<|startoftranscript|>",
    *(f"<|{code}|>" for code in LANGUAGES),
    *("<|translate|>", "<|transcribe|>", "<|startoflm|>", "<|startofprev|>", "<|nospeech|>"),
    "<|notimestamps|>",
)


def make(folder: Path, seed: int = 0) -> None:  # noqa: PLR0915 - a list of shapes
    """Write the model into ``folder``, which is made."""
    from ctranslate2.specs.whisper_spec import WhisperSpec
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

    folder.mkdir(parents=True, exist_ok=True)
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE(vocab={letter: i for i, letter in enumerate(letters)}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(word, special=True) for word in SPECIAL])
    tokenizer.save(str(folder / "tokenizer.json"))

    tokens = [*letters, *SPECIAL, *(f"<|{i * 0.02:.2f}|>" for i in range(1501))]
    random = np.random.default_rng(seed)

    def noise(*shape: int) -> np.ndarray:
        return (random.standard_normal(shape) * 0.1).astype(np.float32)

    def norm(spec: object) -> None:
        spec.gamma, spec.beta = np.ones(WIDTH, np.float32), np.zeros(WIDTH, np.float32)

    def linear(spec: object, outputs: int, inputs: int) -> None:
        spec.weight, spec.bias = noise(outputs, inputs), np.zeros(outputs, np.float32)

    def attention(spec: object, *, to_itself: bool) -> None:
        norm(spec.layer_norm)
        for layer, width in zip(
            spec.linear, (3 * WIDTH, WIDTH) if to_itself else (WIDTH, 2 * WIDTH, WIDTH), strict=True
        ):
            linear(layer, width, WIDTH)

    def feed_forward(spec: object) -> None:
        norm(spec.layer_norm)
        linear(spec.linear_0, 4 * WIDTH, WIDTH)
        linear(spec.linear_1, WIDTH, 4 * WIDTH)

    spec = WhisperSpec(LAYERS, HEADS, LAYERS, HEADS)
    spec.encoder.conv1.weight, spec.encoder.conv1.bias = noise(WIDTH, MELS, 3), noise(WIDTH)
    spec.encoder.conv2.weight, spec.encoder.conv2.bias = noise(WIDTH, WIDTH, 3), noise(WIDTH)
    spec.encoder.position_encodings.encodings = noise(1500, WIDTH)
    spec.decoder.position_encodings.encodings = noise(448, WIDTH)
    spec.decoder.embeddings.weight = noise(len(tokens), WIDTH)
    linear(spec.decoder.projection, len(tokens), WIDTH)
    for side in (spec.encoder, spec.decoder):
        norm(side.layer_norm)
        for layer in side.layer:
            attention(layer.self_attention, to_itself=True)
            feed_forward(layer.ffn)
    for layer in spec.decoder.layer:
        attention(layer.attention, to_itself=False)
    spec.register_vocabulary(tokens)
    spec.config.suppress_ids = []
    spec.config.suppress_ids_begin = []
    spec.config.lang_ids = [tokens.index(f"<|{code}|>") for code in LANGUAGES]
    spec.config.alignment_heads = [(1, 0), (1, 1)]
    spec.validate()
    spec.optimize(quantization="float32")
    spec.save(str(folder))
    (folder / "preprocessor_config.json").write_text(json.dumps({"feature_size": MELS}))


if __name__ == "__main__":
    make(Path(sys.argv[1]))
