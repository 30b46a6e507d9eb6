/* Calls the function of ifunc.c: both looks into the file must have found this program's name. */
#include "check.h"

int choose(void);

int main(int argc, char **argv)
{
	const char *name = strrchr(argv[0], '/') + 1;
	CHECK(argc > 0);
	CHECK(choose() == name[0] * 1000 + name[0]);
	return 0;
}
