/* SPDX-License-Identifier: MIT */
#include "cli/kit.h"
#include "run/launch.h"
#include "worker/worker.h"

int main(int argc, char **argv)
{
	int code = worker_entry(argc, argv);

	if (code < 0)
		code = launch_entry(argc, argv);
	if (code < 0)
		code = kit_entry(argc, argv);
	return code >= 0 ? code : 0;
}
