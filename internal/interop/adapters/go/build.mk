# Go, as a module of its own.
ALL += $(OUT)/go/archivezip

$(OUT)/go/archivezip: $(wildcard go/*.go) go/go.mod go/build.mk
	@mkdir -p $(@D)
	cd go && go build -o $@ .
