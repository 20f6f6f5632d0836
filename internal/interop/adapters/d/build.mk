# D.
ALL += $(OUT)/d/stdzip

$(OUT)/d/stdzip: d/stdzip.d d/build.mk
	@mkdir -p $(@D)
	gdc -O2 -Wall $< -o $@
