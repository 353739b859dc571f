/* The double's leaks by name, switched on by leak_sites=1: what `orchestrator locate` has to find, function by function.
 *
 *   keep_weights      4000 bytes with every load      keep_logits  3000 \  two at once, 3 : 1
 *   keep_token          96 bytes with every token     keep_mask    1000 /  with every job
 *   grow_history       512 bytes with every job, by realloc of one block
 *   keep_from_thread   700 bytes with every job, in a thread of its own
 *   fill_cache        9000 bytes, once: no leak
 *   reuse_slot        8000 bytes, freed with the next job: no leak
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

void leaks_at_load(void);
void leaks_at_job(void);
void leaks_at_token(void);

#define APART __attribute__((noinline, noclone))
static char *volatile kept; /* the last block that leaked: volatile, or the compiler drops them all */

static void touch(char *block, size_t bytes) {
    if (block == NULL) abort();
    memset(block, 1, bytes);
    kept = block;
}

APART static void keep_weights(void) { char *block = malloc(4000); touch(block, 4000); }
APART static void keep_logits(void) { char *block = malloc(3000); touch(block, 3000); }
APART static void keep_mask(void) { char *block = calloc(10, 100); touch(block, 1000); }
APART static void keep_token(void) { char *block = malloc(96); touch(block, 96); }

APART static void grow_history(void) {
    static char *history;
    static size_t bytes;
    bytes += 512;
    history = realloc(history, bytes);
    touch(history, bytes);
}

APART static void *keep_from_thread(void *unused) {
    char *block = malloc(700);
    touch(block, 700);
    return unused;
}

APART static void fill_cache(void) {
    static char *cache;
    if (cache == NULL) cache = malloc(9000);
    touch(cache, 9000);
}

APART static void reuse_slot(void) {
    static char *slot;
    free(slot);
    slot = malloc(8000);
    touch(slot, 8000);
}

void leaks_at_load(void) { keep_weights(); }
void leaks_at_token(void) { keep_token(); }

void leaks_at_job(void) {
    pthread_t thread;
    keep_logits();
    keep_mask();
    grow_history();
    fill_cache();
    reuse_slot();
    if (pthread_create(&thread, NULL, keep_from_thread, NULL) != 0) abort();
    pthread_join(thread, NULL);
}
