/* A prefork server: children accept on one socket, one of them through accept4 and epoll. prefork PORT.
 * Answers with who asked, and which child answered. Ends with its input. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <signal.h>
#include <unistd.h>

static void answer(int sock, struct sockaddr_in6 *peer, int child) {
    char request[4096], body[256], text[512], who[64], at[64];
    struct sockaddr_in6 local;
    socklen_t size = sizeof local;
    if (read(sock, request, sizeof request) > 0) {
        getsockname(sock, (struct sockaddr *)&local, &size);
        inet_ntop(AF_INET6, &peer->sin6_addr, who, sizeof who);
        inet_ntop(AF_INET6, &local.sin6_addr, at, sizeof at);
        int length = snprintf(body, sizeof body, "program, to %s, at %s %d, child %d\n", who, at, ntohs(local.sin6_port), child);
        int total = snprintf(text, sizeof text, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s", length, body);
        if (write(sock, text, total) != total) _exit(1);
    }
    close(sock);
}

static void work(int server, int child) {
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event event = {.events = EPOLLIN};
    if (child == 0) epoll_ctl(epoll, EPOLL_CTL_ADD, server, &event);
    while (1) {
        struct sockaddr_in6 peer;
        socklen_t size = sizeof peer;
        if (child == 0) epoll_wait(epoll, &event, 1, -1);
        int sock = child == 0 ? accept4(server, (struct sockaddr *)&peer, &size, SOCK_CLOEXEC)
                              : accept(server, (struct sockaddr *)&peer, &size);
        if (sock >= 0) answer(sock, &peer, child);
    }
}

int main(int count, char **arguments) {
    int server = socket(AF_INET6, SOCK_STREAM, 0), yes = 1, no = 0;
    setsockopt(server, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    setsockopt(server, IPPROTO_IPV6, IPV6_V6ONLY, &no, sizeof no);
    struct sockaddr_in6 address = {.sin6_family = AF_INET6, .sin6_port = htons(atoi(arguments[1]))};
    if (bind(server, (struct sockaddr *)&address, sizeof address) || listen(server, 64)) return perror("listen"), 1;
    for (int child = 0; child < 3; child++)
        if (fork() == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            work(server, child);
        }
    printf("listening\n");
    fflush(stdout);
    close(server);
    char end[16];
    while (read(0, end, sizeof end) > 0) {}
    return 0;
}
