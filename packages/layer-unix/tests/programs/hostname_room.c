/* gethostname into a buffer whose room the compiler knows; the size given is an argument. */
#include "check.h"

#include <unistd.h>

int main(int argc, char **argv)
{
	char name[64];
	CHECK(argc == 2);
	CHECK(gethostname(name, strtoul(argv[1], NULL, 10)) == 0);
	puts(name);
	return 0;
}
