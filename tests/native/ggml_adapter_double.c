/* Stands for one of ggml's backends: by its name it comes before the libraries that it needs. */
int ggml_double(void);
int ggml_adapter_double(void) { return ggml_double(); }
