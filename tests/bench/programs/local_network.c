/* Times connect + accept on this machine's own loopback: local_network COUNT. Prints nanoseconds for one. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

int main(int count, char **arguments) {
    int server = socket(AF_INET, SOCK_STREAM, 0), yes = 1, times = count > 1 ? atoi(arguments[1]) : 1000;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    setsockopt(server, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (bind(server, (struct sockaddr *)&address, size) || listen(server, 64)) return perror("listen"), 1;
    getsockname(server, (struct sockaddr *)&address, &size);
    double best = 1e18;
    for (int round = 0; round < 10; round++) {
        struct timespec before, after;
        clock_gettime(CLOCK_MONOTONIC, &before);
        for (int i = 0; i < times; i++) {
            struct sockaddr_in peer;
            socklen_t room = sizeof peer;
            struct linger none = {1, 0}; /* no TIME_WAIT: ports would run out */
            int client = socket(AF_INET, SOCK_STREAM, 0);
            if (connect(client, (struct sockaddr *)&address, sizeof address)) return perror("connect"), 1;
            int other = accept(server, (struct sockaddr *)&peer, &room);
            setsockopt(client, SOL_SOCKET, SO_LINGER, &none, sizeof none);
            close(client);
            close(other);
        }
        clock_gettime(CLOCK_MONOTONIC, &after);
        double taken = ((after.tv_sec - before.tv_sec) * 1e9 + after.tv_nsec - before.tv_nsec) / times;
        if (taken < best) best = taken;
    }
    printf("%.0f\n", best);
    return 0;
}
