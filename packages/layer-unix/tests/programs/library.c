/* One of many libraries that a program is linked with. */
int library_function(void);

int library_function(void)
{
	return 1;
}
