# Node's readers run from the output folder: imports are looked up beside the script.
ALL += $(OUT)/node/.built

$(OUT)/node/.built: $(wildcard node/*.mjs) node/package.json node/package-lock.json
	mkdir -p $(OUT)/node
	cp $^ $(OUT)/node/
	cd $(OUT)/node && npm ci --omit=dev --no-audit --no-fund --ignore-scripts
	touch $@
