/* A plain main for a fuzz target: feeds it every file of the corpus, each cut at every length too when it is
 * small, since parsers break at their input's end. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define INPUT_MAX   (1024u * 1024u)
#define CUT_ALL_MAX 2048u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The input lies in an allocation of exactly its size, so that a sanitizer sees the first byte read too far.
 */
static void feed(const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size ? size : 1);
    if (!copy)
        abort();
    if (size)
        memcpy(copy, data, size);
    (void)LLVMFuzzerTestOneInput(copy, size);
    free(copy);
}

static int replay(const char *path)
{
    static uint8_t buf[INPUT_MAX];
    FILE *f = fopen(path, "rbe");
    if (!f)
        return -1;
    size_t n = fread(buf, 1, sizeof(buf), f);
    int bad = ferror(f) || !feof(f);
    (void)fclose(f);
    if (bad)
        return -1;
    feed(buf, n);
    for (size_t cut = 0; n <= CUT_ALL_MAX && cut < n; cut++)
        feed(buf, cut);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        (void)fprintf(stderr, "usage: %s CORPUS\n", argv[0]);
        return 2;
    }
    DIR *dir = opendir(argv[1]);
    if (!dir) {
        (void)fprintf(stderr, "%s: cannot be opened\n", argv[1]);
        return 1;
    }
    size_t n = 0;
    for (struct dirent *e = readdir(dir); e;
         e = readdir(dir)) { /* NOLINT(concurrency-mt-unsafe): one thread */
        char path[4096];
        if (e->d_name[0] == '.')
            continue;
        (void)snprintf(path, sizeof(path), "%s/%s", argv[1], e->d_name);
        if (replay(path) < 0) {
            (void)fprintf(stderr, "%s: cannot be read, or is larger than %u bytes\n", path, INPUT_MAX);
            return 1;
        }
        n++;
    }
    (void)closedir(dir);
    (void)printf("%zu inputs\n", n);
    return n ? 0 : 1; /* a target without a corpus tests nothing */
}
