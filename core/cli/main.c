/* SPDX-License-Identifier: MIT */
#include "worker/worker.h"

int main(int argc, char **argv)
{
	int code = worker_entry(argc, argv);

	return code >= 0 ? code : 0;
}
