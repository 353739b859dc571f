/* Stands for libggml-base: the library that libggml needs. */
int ggml_double_base(void) { return 40; }
