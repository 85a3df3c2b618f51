/* SPDX-License-Identifier: MIT */
/* The dynamic symbols that a shared object of this machine defines. */
#include "cli/kit.h"

#include "base/cleanup.h"
#include "base/file.h"

#include <elf.h>
#include <link.h>
#include <string.h>

#define OBJECT_MAX (256u << 20)

struct object {
	const char *bytes;
	size_t size;
};

static const void *at(const struct object *object, uint64_t offset, uint64_t size)
{
	return offset <= object->size && size <= object->size - offset ? object->bytes + offset
								       : NULL;
}

static int list(const struct object *object, const ElfW(Shdr) * symbols, const ElfW(Shdr) * names,
	const char *but, void (*fault)(void *data, const char *name), void *data)
{
	const ElfW(Sym) *symbol = at(object, symbols->sh_offset, symbols->sh_size);
	const char *text = at(object, names->sh_offset, names->sh_size);
	int others = 0;

	if (!symbol || !text || !names->sh_size || text[names->sh_size - 1])
		return -1;
	for (size_t i = 0; i < symbols->sh_size / sizeof *symbol; i++) {
		unsigned bind = symbol[i].st_info >> 4;
		if (symbol[i].st_shndx == SHN_UNDEF || bind == STB_LOCAL ||
			symbol[i].st_name >= names->sh_size ||
			strcmp(text + symbol[i].st_name, but) == 0)
			continue;
		fault(data, text + symbol[i].st_name);
		others++;
	}
	return others;
}

int symbols_others(
	const char *file, const char *but, void (*fault)(void *data, const char *name), void *data)
{
	CLEANUP_FREE char *bytes = NULL;
	struct object object;

	if (file_load(file, OBJECT_MAX, &bytes, &object.size, NULL) < 0)
		return -1;
	object.bytes = bytes;
	const ElfW(Ehdr) *head = at(&object, 0, sizeof *head);
	if (!head || memcmp(head->e_ident, ELFMAG, SELFMAG) != 0 ||
		head->e_shentsize != sizeof(ElfW(Shdr)))
		return -1;
	const ElfW(Shdr) *sections =
		at(&object, head->e_shoff, (uint64_t)head->e_shnum * sizeof(ElfW(Shdr)));
	for (unsigned i = 0; sections && i < head->e_shnum; i++)
		if (sections[i].sh_type == SHT_DYNSYM && sections[i].sh_link < head->e_shnum)
			return list(&object, &sections[i], &sections[sections[i].sh_link], but,
				fault, data);
	return -1;
}
