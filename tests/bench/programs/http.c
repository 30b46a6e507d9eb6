/* The server of the benchmarks: answers each request with a few bytes, keeps connections open. http PORT.
 * One process, one epoll. Prints a line once it listens; ends with its input. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

static const char ANSWER[] = "HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\nhello, world\n";

int main(int count, char **arguments) {
    int server = socket(AF_INET, SOCK_STREAM, 0), yes = 1;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(count > 1 ? atoi(arguments[1]) : 0)};
    setsockopt(server, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (bind(server, (struct sockaddr *)&address, sizeof address) || listen(server, 1024)) return perror("http"), 1;
    int epoll = epoll_create1(0);
    struct epoll_event event = {.events = EPOLLIN, .data.fd = server}, events[64];
    epoll_ctl(epoll, EPOLL_CTL_ADD, server, &event);
    event.data.fd = 0;
    epoll_ctl(epoll, EPOLL_CTL_ADD, 0, &event);
    printf("listening\n");
    fflush(stdout);
    for (;;) {
        int ready = epoll_wait(epoll, events, 64, -1);
        for (int i = 0; i < ready; i++) {
            int fd = events[i].data.fd;
            if (fd == server) {
                int sock = accept(server, NULL, NULL);
                if (sock < 0) continue;
                setsockopt(sock, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
                event = (struct epoll_event){.events = EPOLLIN, .data.fd = sock};
                epoll_ctl(epoll, EPOLL_CTL_ADD, sock, &event);
                continue;
            }
            char request[4096];
            long got = read(fd, request, sizeof request);
            if (fd == 0 && got <= 0) return 0;
            if (fd == 0) continue;
            /* the benchmark's requests come whole, one at a time */
            if (got <= 0 || write(fd, ANSWER, sizeof ANSWER - 1) < 0) close(fd);
        }
    }
}
