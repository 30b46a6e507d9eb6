/* The names of hooks.def as text: the expansion that the cffi module is made with. The library doesn't need it. */
#include "hooklist.h"

#define HOOK(family, type, name, parameters, arguments, failure) #family " " #name "\n"
#define VHOOK(family, type, name, declared, parameters, arguments, failure) \
	#family " " #name "\n"
#define THOOK(family, type, name, twin, parameters, arguments, failure) #family " " #name "\n"
#define VTHOOK(family, type, name, twin, declared, parameters, arguments, failure) \
	#family " " #name "\n"
#define XHOOK(family, type, name, declared) #family " " #name "\n"

const char hook_list[] =
#include "hooks.def"
	;
