/* Our double of libchatllm: the same functions and print types, and on demand everything that bites.
 *
 * Written from the facts of the C interface; it contains nothing of chatllm.cpp. What the interface does by itself
 * (ends twice, runs the path through a shell, makes text up for audio it cannot read, aborts here and there) this
 * does by itself too. The rest is set by KEY=VALUE, many in the environment variable CHATLLM_DOUBLE, each as the
 * argv words `--double KEY=VALUE`:
 *
 *   destroy=abort|leak|ok   on a started object: abort (upstream, the default), free all but leak_cycle_kb and one
 *                           descriptor (the user's fork), or free all
 *   destroy=segv|hang|exit|error|corrupt   other ways to go wrong: a segfault, no end, exit code 7, a code, or all
 *                           seems well and the next start aborts
 *   fragile_start=1         a start aborts while another object lives
 *   leak_cycle_kb=768 leak_job_kb=0 base_kb=256
 *   start_ms=0 chunk_ms=0   how long a start takes, and each chunk
 *   deaf_chunks=0           so many callbacks in whose course an abort is lost
 *   stdout=1                print the banner on standard output as well
 *   raw_byte=1              one chunk has a byte that is no UTF-8
 *   odd_types=1             print types that nobody knows
 *   cross_talk=1            a chunk comes with the user_data of another object
 *   error_line=1            an error line in the middle of a job that succeeds
 *   input_code=N            the input fails with this code and an error line
 *   context_shows=1         the text tells how many inputs the context holds
 *   lazy_cursor=1           restart moves the cursor only with the next input
 *   mute_cursor=1           the cursor stays at 0, as an aligner's always does
 *   cut_answer=1            the aligner's answer comes in two chunks
 *   quotes=1                and has no escapes
 *   late=1                  the aligner's times lie far behind the audio
 *   pace=N                  the aligner places N words a second from the start on, and not all over the audio
 *   language_shows=1        the text tells which language the object was started with
 *   closing=1               the transcript ends with its closing marker
 *   leak_sites=1            leaks by load, job and token in functions with names (chatllm_leaks.c)
 *   weights=1               the whole model file is read into memory
 *
 * CHATLLM_DOUBLE_DESTROYS names a file that gets a line whenever a started object is to be destroyed.
 * CHATLLM_DOUBLE_ANSWERS names a file of lines "SECONDS<tab>TEXT": what is heard in audio of that length.
 * Compiled with -DNO_DESTROY it is an old build.
 */
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { CHAT = 0, META = 1, ERROR = 2, LOGGING = 11, MODEL_INFO = 13, THOUGHT = 14, ASYNC = 100, ODD = 4711 };
enum { MOST_WORDS = 128, PROMPT_TOKENS = 12, DEFAULT_LIMIT = 65536, HEADER_BYTES = 24, LIVE = 0x11, DEAD = 0x22 };
#define TOKENS_PER_SECOND 13.0
#define FAILED_START_BYTES ((size_t)(9.5 * 1024 * 1024))

typedef void (*print_fn)(void *user_data, int type, const char *utf8);
typedef void (*end_fn)(void *user_data);

struct object {
    int state, started, generating, aborted, deaf, inputs, cursor, cursor_is_stale, aligner, descriptor;
    char *words[MOST_WORDS];
    int count;
    char *base, *weights;
    int max_new_tokens;
};

int ggml_adapter_double(void);
void leaks_at_load(void);
void leaks_at_job(void);
void leaks_at_token(void);

/* One set for the whole library: the text of two objects goes to whoever was started last. */
static print_fn the_print;
static end_fn the_end;
static void *the_user_data;
static int live_objects, runs, corrupted;
static char *volatile lost; /* the last block that leaked: volatile, or the compiler drops them all */

/* ------------------------------------------------------------------ settings */

static const char *in_list(const char *list, const char *key) {
    static char value[256];
    size_t length = strlen(key);
    for (const char *at = list; at != NULL && *at; at = strchr(at, ' ')) {
        while (*at == ' ') at++;
        if (strncmp(at, key, length) == 0 && at[length] == '=') {
            snprintf(value, sizeof value, "%s", at + length + 1);
            value[strcspn(value, " ")] = 0;
            return value;
        }
    }
    return NULL;
}

static const char *setting(struct object *o, const char *key) {
    for (int i = 0; i + 1 < o->count; i++)
        if (strcmp(o->words[i], "--double") == 0 && in_list(o->words[i + 1], key)) return in_list(o->words[i + 1], key);
    return in_list(getenv("CHATLLM_DOUBLE"), key);
}

static int number(struct object *o, const char *key, int otherwise) {
    const char *said = setting(o, key);
    return said ? atoi(said) : otherwise;
}

static const char *option(struct object *o, const char *name) {
    const char *found = NULL;
    for (int i = 0; i + 1 < o->count; i++)
        if (strcmp(o->words[i], name) == 0) found = o->words[i + 1];
    return found;
}

static const char *set_option(struct object *o, const char *key) {
    const char *found = NULL;
    for (int i = 0; i + 2 < o->count; i++)
        if (strcmp(o->words[i], "--set") == 0 && strcmp(o->words[i + 1], key) == 0) found = o->words[i + 2];
    return found;
}

static void die(const char *why) {
    fprintf(stderr, "%s\n", why);
    if (strstr(why, "GGML_ASSERT") && !getenv("GGML_NO_BACKTRACE")) fprintf(stderr, "a debugger would run here for 3 s\n");
    fflush(stderr);
    abort();
}

static void leak(size_t bytes) {
    char *block = malloc(bytes);
    if (block == NULL) die("out of memory");
    lost = block;
    memset(lost, 1, bytes);
}

static int a_descriptor(void) {
    int made = open("/dev/null", O_RDONLY);
    if (made < 0) die("no descriptors left");
    return made;
}

static struct object *living(void *object) {
    struct object *o = object;
    if (o->state != LIVE) die("free(): double free detected"); /* NULL: the line above is the segfault */
    if (!o->started) die("a call before start");
    return o;
}

static void say(int type, const char *text) { the_print(the_user_data, type, text); }

__attribute__((destructor)) static void at_exit(void) {
    if (live_objects > 0) die("terminate called: a live object in a static destructor");
}

/* ------------------------------------------------------------------ create, start, destroy */

void chatllm_append_init_param(const char *option_word) { (void)option_word; }
int chatllm_init(void) { return 0; }

void *chatllm_create(void) {
    struct object *o = calloc(1, sizeof *o);
    o->state = LIVE;
    o->max_new_tokens = -1;
    return o;
}

void chatllm_append_param(void *object, const char *word) {
    struct object *o = object;
    if (o->count == MOST_WORDS) die("too many words");
    o->words[o->count++] = strdup(word);
}

static int failed(const char *format, const char *path) {
    char line[4096];
    snprintf(line, sizeof line, format, path);
    say(ERROR, line);
    leak(FAILED_START_BYTES);
    a_descriptor();
    return 1;
}

static int read_model(struct object *o) {
    const char *path = option(o, "-m");
    char header[HEADER_BYTES + 1] = {0};
    FILE *file = path ? fopen(path, "rb") : NULL;
    if (file == NULL) return failed("cannot open model file: %s", path ? path : "(none)");
    size_t got = fread(header, 1, HEADER_BYTES, file);
    fclose(file);
    if (got < 8 || memcmp(header, "DOUBLE01", 8) != 0) return failed("bad magic: %s", path);
    if (got < HEADER_BYTES) die("terminate called after throwing an instance of 'std::out_of_range'");
    o->aligner = strncmp(header + 8, "aligner", 8) == 0;
    return 0;
}

static int read_weights(struct object *o) {
    FILE *file = fopen(option(o, "-m"), "rb");
    if (file == NULL || fseek(file, 0, SEEK_END) != 0) return failed("cannot read %s", option(o, "-m"));
    size_t size = (size_t)ftell(file);
    rewind(file);
    o->weights = malloc(size);
    size_t got = o->weights ? fread(o->weights, 1, size, file) : 0;
    fclose(file);
    return got == size ? 0 : failed("cannot read %s", option(o, "-m"));
}

int chatllm_start(void *object, print_fn print, end_fn end, void *user_data) {
    struct object *o = object;
    char banner[512];
    if (o->state != LIVE || o->started) die("start of what is started");
    if (corrupted) die("malloc(): corrupted top size");
    if (live_objects > 0 && number(o, "fragile_start", 0)) die("/src/ggml.c:12: GGML_ASSERT(count == 1) failed");
    the_print = print, the_end = end, the_user_data = user_data;
    usleep(number(o, "start_ms", 0) * 1000);
    if (read_model(o) != 0) return 1;
    const char *policy = getenv("OMP_WAIT_POLICY");
    snprintf(banner, sizeof banner, "ChatLLM double\n  threads %s\n  OMP_WAIT_POLICY=%s\n  ggml %d",
             option(o, "-n") ? option(o, "-n") : "-", policy ? policy : "-", ggml_adapter_double());
    if (number(o, "stdout", 0)) printf("%s\n", banner), fflush(stdout);
    say(META, banner);
    say(MODEL_INFO, o->aligner ? "{\"name\": \"Double\", \"purpose\": \"Chat\"}"
                               : "{\"name\": \"Double\", \"purpose\": \"ASR\"}");
    size_t base = (size_t)number(o, "base_kb", 256) * 1024;
    o->base = malloc(base + 1);
    memset(o->base, 1, base + 1);
    if (number(o, "leak_sites", 0)) leaks_at_load();
    if (number(o, "weights", 0) && read_weights(o) != 0) return 1;
    o->descriptor = a_descriptor();
    o->deaf = number(o, "deaf_chunks", 0);
    o->started = 1;
    live_objects++;
    return 0;
}

#ifndef NO_DESTROY
static void note_destroy(const char *path) {
    FILE *file = path ? fopen(path, "a") : NULL;
    if (file != NULL) fprintf(file, "destroy\n"), fclose(file);
}

int chatllm_destroy(void *object) {
    struct object *o = object;
    if (o->state != LIVE) die("free(): double free detected in tcache 2");
    if (o->generating) return -1;
    if (o->started) {
        const char *how = setting(o, "destroy");
        note_destroy(getenv("CHATLLM_DOUBLE_DESTROYS"));
        if (how == NULL || strcmp(how, "abort") == 0) die("double free or corruption (!prev)");
        if (strcmp(how, "segv") == 0) raise(SIGSEGV);
        if (strcmp(how, "exit") == 0) _exit(7);
        if (strcmp(how, "error") == 0) return -3;
        for (; strcmp(how, "hang") == 0;) pause();
        if (strcmp(how, "corrupt") == 0) corrupted = 1;
        if (strcmp(how, "leak") == 0) leak((size_t)number(o, "leak_cycle_kb", 768) * 1024);
        else close(o->descriptor);
        live_objects--;
    }
    free(o->base), free(o->weights);
    for (int i = 0; i < o->count; i++) free(o->words[i]);
    o->count = 0;
    o->state = DEAD; /* kept, so that a second destroy is seen and not undefined */
    return 0;
}
#endif

/* ------------------------------------------------------------------ small calls */

void chatllm_restart(void *object, const char *system_prompt) {
    struct object *o = living(object);
    (void)system_prompt;
    o->inputs = 0;
    if (number(o, "lazy_cursor", 0)) o->cursor_is_stale = 1;
    else o->cursor = 0;
}

void chatllm_set_gen_max_tokens(void *object, int most) { living(object)->max_new_tokens = most; }

void chatllm_abort_generation(void *object) {
    struct object *o = living(object);
    if (o->generating && o->deaf <= 0) o->aborted = 1; /* else it is lost */
}

int chatllm_get_cursor(void *object) {
    struct object *o = living(object);
    return o->aligner || number(o, "mute_cursor", 0) ? 0 : o->cursor;
}

void chatllm_show_statistics(void *object) {
    living(object);
    say(META, "timings: none");
}

/* ------------------------------------------------------------------ input */

/* Return the seconds of audio, by a shell, with the path as it is: what a shell makes of it happens. */
static double read_audio(const char *path) {
    char command[4096], block[65536];
    long bytes = 0;
    snprintf(command, sizeof command, "ffmpeg -v error -i \"%s\" -f s16le -ac 1 -ar 16000 -", path);
    FILE *pipe = popen(command, "r");
    if (pipe == NULL) return 0;
    for (size_t got; (got = fread(block, 1, sizeof block, pipe)) > 0;) bytes += got;
    pclose(pipe);
    if (bytes > 0 && bytes / 2 < 160) raise(SIGSEGV);
    if (bytes / 2 > 500L * 16000) die("GGML_ASSERT: audio too long");
    return bytes / 2 / 16000.0;
}

static const char *heard_in(double seconds) {
    static char text[8192];
    const char *path = getenv("CHATLLM_DOUBLE_ANSWERS");
    FILE *file = path ? fopen(path, "r") : NULL;
    if (seconds == 0) return "A text that was made up.";
    if (file != NULL) {
        double length;
        while (fscanf(file, "%lf %8191[^\n]", &length, text) == 2)
            if (fabs(length - seconds) < 0.3) { fclose(file); return text; }
        fclose(file);
    }
    return "One two three four.";
}

/* Hand a chunk over; 0 when the generation is to end. */
static int chunk(struct object *o, const char *text) {
    say(CHAT, text);
    if (number(o, "leak_sites", 0)) leaks_at_token();
    usleep(number(o, "chunk_ms", 0) * 1000);
    o->deaf--;
    return !o->aborted;
}

/* Return the length of the next token: up to the next blank, or one character that is not ASCII. */
static size_t token_length(const char *text) {
    size_t length = 1;
    if ((unsigned char)text[0] >= 0x80) {
        while (((unsigned char)text[length] & 0xC0) == 0x80) length++;
        return length;
    }
    while (text[length] && text[length] != ' ' && (unsigned char)text[length] < 0x80) length++;
    return length;
}

static void transcribe(struct object *o, const char *text, int room) {
    const char *language = set_option(o, "language"), *warm = option(o, "-t");
    char token[300], more[64] = "";
    if (language == NULL || strcmp(language, "auto") == 0) {
        const char *spoken = (unsigned char)text[0] >= 0x80 ? " Chinese" : " English";
        if (!chunk(o, "language") || !chunk(o, spoken)) return;
    }
    if (!chunk(o, "<asr_text>")) return;
    if (number(o, "odd_types", 0)) say(ODD, "odd"), say(ASYNC, ""), say(LOGGING, "Eodd"), say(THOUGHT, "odd");
    if (number(o, "cross_talk", 0)) the_print((char *)the_user_data + 1, CHAT, "somebody else's");
    if (number(o, "error_line", 0)) say(ERROR, "something went wrong on the way");
    if (warm == NULL || atof(warm) > 0) snprintf(more, sizeof more, " warm%d", runs);
    if (number(o, "language_shows", 0)) snprintf(more, sizeof more, " [%s]", language ? language : "none");
    if (number(o, "context_shows", 0)) snprintf(more, sizeof more, " inputs%d", o->inputs);
    if (number(o, "raw_byte", 0)) snprintf(more, sizeof more, " \xff!");
    for (int part = 0; part < 2; part++)
        for (const char *at = part == 0 ? text : more; *at; at += token_length(at)) {
            if (room-- <= 0) { say(META, "RUN OUT OF CONTEXT"); return; }
            snprintf(token, sizeof token, "%.*s", (int)token_length(at), at);
            o->cursor++;
            if (!chunk(o, token)) return;
        }
    if (number(o, "closing", 0)) chunk(o, "</asr_text>");
}

static int has_letter(const char *from, const char *to) {
    for (; from < to; from++)
        if ((unsigned char)*from >= 0x80 || strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", *from))
            return 1;
    return 0;
}

static void append_json(char *out, size_t size, const char *from, const char *to, int escaped) {
    size_t used = strlen(out);
    for (; from < to && used + 3 < size; from++) {
        if (escaped && (*from == '"' || *from == '\\')) out[used++] = '\\';
        out[used++] = *from;
    }
    out[used] = 0;
}

/* Whether the language has words without blanks between them: then each character of its script is one. */
static int by_character(struct object *o) {
    const char *language = set_option(o, "language");
    return language && (!strcmp(language, "Chinese") || !strcmp(language, "Cantonese") || !strcmp(language, "Japanese"));
}

/* Return where the word that begins at `at` ends. */
static const char *end_of_word(struct object *o, const char *at, const char *delimiter) {
    const char *end = strstr(at, delimiter ? delimiter : " ");
    if (end == NULL) end = at + strlen(at);
    if (delimiter || !by_character(o) || at == end) return end;
    const char *here = at + token_length(at);
    if ((unsigned char)*at < 0x80)
        while (here < end && (unsigned char)*here < 0x80) here++;
    return here < end ? here : end;
}

static void align(struct object *o, const char *text, double seconds, int room) {
    const char *format = set_option(o, "format"), *delimiter = set_option(o, "delimiter");
    static char out[1 << 18];
    size_t all = strlen(text), count = 0, index = 0, step = delimiter ? strlen(delimiter) : 1, tokens = 0;
    int placed = has_letter(text, text + all), late = number(o, "late", 0), pace = number(o, "pace", 0);
    for (const char *at = text; at < text + all;) {
        const char *end = end_of_word(o, at, delimiter);
        count += end > at;
        if (end > at) tokens += end - at + 2; /* the tokens of a word, and two for its times */
        at = end < text + all && strncmp(end, delimiter ? delimiter : " ", step) == 0 ? end + step : end;
    }
    if ((long)tokens > (long)room) die("/src/ggml.c:1780: GGML_ASSERT(view_src == NULL || data_size + view_offs <= ggml_nbytes(view_src)) failed");
    snprintf(out, sizeof out, "[");
    for (const char *at = text; at < text + all;) {
        const char *end = end_of_word(o, at, delimiter);
        if (delimiter && !has_letter(at, end)) die("GGML_ASSERT: an empty segment");
        if (end > at) {
            double length = pace ? 1000.0 / pace : seconds * 1000 / count;
            double start = placed ? length * index : 0, stop = placed ? length * (index + 1) : 0;
            if (late) start = stop = 112480;
            size_t used = strlen(out);
            snprintf(out + used, sizeof out - used, "%s{\"start\":%ld,\"end\":%ld,\"text\":\"", index ? ",\n" : "\n", (long)start, (long)stop);
            append_json(out, sizeof out - 8, at, end, !number(o, "quotes", 0));
            strcat(out, "\"}");
            index++;
        }
        at = end < text + all && strncmp(end, delimiter ? delimiter : " ", step) == 0 ? end + step : end;
        if (delimiter && at == text + all && end < at) die("GGML_ASSERT: an empty segment");
    }
    strcat(out, index ? "\n]" : "\n\n]");
    const char *answer = format && strcmp(format, "json") == 0 ? out : "1\n3735928559:48879:12,345 --> -17:00:00,000\ngarbage\n";
    const char *bracket = number(o, "cut_answer", 0) ? strchr(answer, ']') : NULL;
    if (bracket != NULL) {
        char head[1024];
        snprintf(head, sizeof head, "%.*s", (int)(bracket - answer + 1), answer);
        if (chunk(o, head)) chunk(o, answer + strlen(head));
    } else chunk(o, answer);
}

int chatllm_user_input(void *object, const char *text) {
    struct object *o = living(object);
    const char *opening = strstr(text, "{{audio:"), *closing = opening ? strstr(opening, "}}") : NULL;
    char path[4096] = "";
    if (closing != NULL) snprintf(path, sizeof path, "%.*s", (int)(closing - opening - 8), opening + 8);
    const char *rest = closing ? closing + 2 : text;
    if (strstr(rest, "{{") || strstr(rest, "}}")) die("terminate called after throwing an instance of 'std::runtime_error'");
    int limit = option(o, "-l") ? atoi(option(o, "-l")) : DEFAULT_LIMIT;
    if (o->cursor_is_stale) o->cursor = 0, o->cursor_is_stale = 0;
    double seconds = closing ? read_audio(path) : 0;
    runs++;
    o->inputs++;
    if (o->aligner) o->cursor = 0; /* each input by itself */
    o->cursor += PROMPT_TOKENS + (int)lround(TOKENS_PER_SECOND * seconds);
    leak((size_t)number(o, "leak_job_kb", 0) * 1024 + 1);
    if (number(o, "leak_sites", 0)) leaks_at_job();
    if (number(o, "input_code", 0)) {
        say(ERROR, "the input cannot be worked on");
        return number(o, "input_code", 0);
    }
    o->generating = 1, o->aborted = 0;
    if (o->aligner) align(o, rest, seconds, limit - o->cursor);
    else transcribe(o, heard_in(seconds), limit - o->cursor);
    o->generating = 0;
    if (o->cursor > limit) o->cursor = limit;
    the_end(the_user_data);
    the_end(the_user_data);
    return 0;
}
