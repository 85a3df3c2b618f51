# Makes of today's header the one of a later minor: every struct that crosses has grown.
s/^#define UPKEEP_ABI_MINOR .*/#define UPKEEP_ABI_MINOR 99u\n#define LATER 1/
s/^	size_t fields_size; .*/&\n	uint64_t later[2];/
s/^	int32_t (\*temp_dir).*/&\n	int32_t (*later)(struct upkeep_ctx *ctx);/
s/^	uint32_t attempt; .*/	uint32_t attempt;/
/^struct upkeep_undo {/,/^};/s/^};/	uint64_t later;\n};/
s/^	size_t pass_count;/&\n	uint64_t later;/
s/^	int32_t (\*undo)(struct upkeep_ctx .*/&\n	int32_t (*later)(struct upkeep_ctx *ctx);/
s/^	void (\*close)(struct upkeep_ctx .*/&\n	int32_t (*later)(struct upkeep_ctx *ctx);/
/^struct upkeep_output {/,/^};/s/^};/	uint64_t later[2];\n};/
/^struct upkeep_cell {/,/^};/s/^};/	uint64_t later[2];\n};/
/^struct upkeep_ctx {/,/^};/s/^};/	uint64_t later;\n};/
