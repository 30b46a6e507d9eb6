/*
 * What the hooks of files share among each other: opening, and content that stdio is about to read behind our back.
 */
#ifndef MIRRORD_FILES_H
#define MIRRORD_FILES_H

#include <stdbool.h>

/* Whether opening with these flags reads or changes: INTENT_READ or INTENT_CHANGE. */
int open_intent(int flags);

/* Makes a descriptor that came from the session what these O_* flags ask for. Returns it, or -1 with errno. */
int open_finish(int descriptor, int flags);

/*
 * Makes a descriptor one that the kernel alone can be asked to read: a filling file is waited for, in the place of a
 * file read by request comes its content. For what libc reads without calling us. 0, or -1 with errno.
 */
int settle(int descriptor);
/* The same for standard input, which libc reads as `stdin`: at start, and where a descriptor comes to be number 0. */
void settle_standard_input(void);
/*
 * The same for all that a program without the layer is about to inherit. `passed_on`: also what is closed on exec, since
 * actions of a spawn may give it another number.
 */
void settle_inherited(bool passed_on);

#endif
