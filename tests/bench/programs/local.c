/* Times local calls in a loop, for the layer's cost where nothing is remote. Prints nanoseconds a call: open+close, stat. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static double now(void)
{
	struct timespec time;
	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1e9 + time.tv_nsec;
}

int main(int argc, char **argv)
{
	const char *path = argv[1];
	int rounds = argc > 2 ? atoi(argv[2]) : 1;
	struct stat status;
	double best[2] = {1e18, 1e18};
	for (int block = 0; block < 40; block++) {
		double start = now();
		for (int i = 0; i < rounds; i++) {
			int descriptor = open(path, O_RDONLY);
			if (descriptor < 0)
				return 1;
			close(descriptor);
		}
		double middle = now();
		for (int i = 0; i < rounds; i++)
			if (stat(path, &status) != 0)
				return 1;
		double end = now();
		best[0] = middle - start < best[0] ? middle - start : best[0];
		best[1] = end - middle < best[1] ? end - middle : best[1];
	}
	printf("%.1f %.1f\n", best[0] / rounds, best[1] / rounds);
	return 0;
}
