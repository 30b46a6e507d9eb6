/*
 * What a new image needs so that the layer is in it too: its environment, and a word to the user about programs that
 * the layer can't enter. Used by the hooks of exec, spawn, system and popen.
 */
#ifndef MIRRORD_IMAGE_H
#define MIRRORD_IMAGE_H

#include <stdbool.h>
#include <stddef.h>

/* Bytes of memory for image_environment(); 0 if the environment has the layer already. NULL is an empty one. */
size_t image_size(char *const *environment);

/*
 * The environment with MIRRORD_LAYER, and our library at the end of LD_PRELOAD. Array and strings that are new lie in
 * `memory`, of image_size() bytes; the others stay where they are.
 */
char **image_environment(void *memory, char *const *environment);

/* Memory that is too much for the stack. NULL: there is none, and the image goes without the layer. */
void *image_map(size_t size);
void image_unmap(void *memory, size_t size);
enum { IMAGE_STACK = 8192 };

/*
 * Tells the user, once for each program, if the layer can't enter the program that is about to run, and readies what
 * that inherits: of the descriptors that are closed on exec those too that may be `passed_on`. Keeps errno.
 */
void image_announce(int directory, const char *path, bool passed_on);
void image_announce_open(int descriptor, bool passed_on);
/* The same for a name that is looked for along PATH unless it has a slash. */
void image_announce_named(const char *name, bool passed_on);

#endif
