/* Stands for libggml: libchatllm needs it, and it needs libggml-base. Neither has an rpath, as in a real build tree. */
int ggml_double_base(void);
int ggml_double(void) { return ggml_double_base() + 2; }
