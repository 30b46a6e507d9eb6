/* The names of hooks.def as text, for Python: one line "family name" each. */
#ifndef MIRRORD_HOOKLIST_H
#define MIRRORD_HOOKLIST_H

extern const char hook_list[];

#endif
