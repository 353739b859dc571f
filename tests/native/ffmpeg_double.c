/* Stands for ffmpeg as the library calls it: `ffmpeg … -i FILE …` writes the samples of a WAV to standard output.
 *
 * FFMPEG_DOUBLE_MB   memory it holds for a while, as the real one does (about 50 MB)
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void hold(const char *mb) {
    size_t bytes = (size_t)atoi(mb) << 20;
    volatile char *memory = malloc(bytes); /* volatile, or the compiler drops it all */
    if (memory == NULL) return;
    for (size_t at = 0; at < bytes; at += 4096) memory[at] = 1;
    usleep(400000);
    free((void *)memory);
}

int main(int argc, char **argv) {
    const char *path = NULL;
    for (int i = 1; i + 1 < argc; i++)
        if (strcmp(argv[i], "-i") == 0) path = argv[i + 1];
    FILE *file = path ? fopen(path, "rb") : NULL;
    unsigned char head[12], chunk[8];
    if (file == NULL) { fprintf(stderr, "%s: No such file or directory\n", path ? path : "(none)"); return 1; }
    if (fread(head, 1, 12, file) != 12 || memcmp(head, "RIFF", 4) != 0) { fprintf(stderr, "Invalid data\n"); return 1; }
    if (getenv("FFMPEG_DOUBLE_MB")) hold(getenv("FFMPEG_DOUBLE_MB"));
    while (fread(chunk, 1, 8, file) == 8) {
        long size = chunk[4] | chunk[5] << 8 | chunk[6] << 16 | (long)chunk[7] << 24;
        if (memcmp(chunk, "data", 4) != 0) { fseek(file, size + size % 2, SEEK_CUR); continue; }
        char block[65536];
        for (size_t got; size > 0 && (got = fread(block, 1, size < 65536 ? size : 65536, file)) > 0; size -= got)
            if (fwrite(block, 1, got, stdout) != got) return 1;
        return 0;
    }
    return 1;
}
