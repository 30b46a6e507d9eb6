/* As little as a program can do. */
#include <stdio.h>

int main(void)
{
	return puts("small") < 0;
}
