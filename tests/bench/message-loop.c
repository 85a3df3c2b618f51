/* SPDX-License-Identifier: MIT */
/*
 * message-loop N: the bare limit of work done by other processes: N messages of 200 bytes
 * over SOCK_SEQPACKET pairs to two processes, one to each at a time, each answered.
 */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define PEERS 2
#define MESSAGE_BYTES 200

static void answer(int fd)
{
	char message[MESSAGE_BYTES];

	while (recv(fd, message, sizeof message, 0) > 0)
		if (send(fd, message, sizeof message, 0) < 0)
			_exit(1);
	_exit(0);
}

int main(int argc, char **argv)
{
	long total = argc > 1 ? atol(argv[1]) : 10000, sent = 0, done = 0;
	char message[MESSAGE_BYTES] = {0};
	struct pollfd peers[PEERS];

	for (int i = 0; i < PEERS; i++) {
		int pair[2];
		if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0) {
			perror("socketpair");
			return 1;
		}
		if (fork() == 0) {
			for (int k = 0; k < i; k++)
				close(peers[k].fd);
			close(pair[0]);
			answer(pair[1]);
		}
		close(pair[1]);
		peers[i] = (struct pollfd){.fd = pair[0], .events = POLLIN};
		if (sent < total && send(pair[0], message, sizeof message, 0) > 0)
			sent++;
	}
	while (done < total && poll(peers, PEERS, -1) > 0)
		for (int i = 0; i < PEERS; i++) {
			if (!(peers[i].revents & (POLLIN | POLLHUP)) ||
				recv(peers[i].fd, message, sizeof message, 0) <= 0)
				continue;
			done++;
			if (sent < total && send(peers[i].fd, message, sizeof message, 0) > 0)
				sent++;
		}
	for (int i = 0; i < PEERS; i++)
		close(peers[i].fd);
	while (wait(NULL) > 0)
		;
	return done < total;
}
