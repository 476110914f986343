/* replay - a main for a fuzz target without libFuzzer: runs it over files and directories of them,
 * as a plain test. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "fuzz.h"

/* In memory of exactly its size, so that a sanitizer sees each byte too many. */
static bool replay_file(const char *path)
{
    struct stat st;
    FILE *f = fopen(path, "re");

    if (f == NULL || fstat(fileno(f), &st) != 0) {
        fprintf(stderr, "%s: %s\n", path, strerror(errno));
        return false;
    }
    size_t size = (size_t)st.st_size;
    uint8_t *bytes = malloc(size > 0 ? size : 1);
    bool whole = fread(bytes, 1, size, f) == size;
    fclose(f);
    fprintf(stderr, "%s\n", path); /* the last one named is the one that fails */
    LLVMFuzzerTestOneInput(bytes, size);
    free(bytes);
    return whole;
}

static int replay_directory(const char *path)
{
    char file[4096];
    DIR *directory = opendir(path);
    int count = 0;

    if (directory == NULL)
        return replay_file(path) ? 1 : 0;
    for (struct dirent *entry; (entry = readdir(directory)) != NULL;) {
        if (entry->d_name[0] == '.')
            continue;
        snprintf(file, sizeof file, "%s/%s", path, entry->d_name);
        count += replay_file(file) ? 1 : 0;
    }
    closedir(directory);
    return count;
}

int main(int argc, char **argv)
{
    int count = 0;

    for (int i = 1; i < argc; i++)
        count += replay_directory(argv[i]);
    printf("%d inputs\n", count);
    return count > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
