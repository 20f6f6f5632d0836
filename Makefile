# make demo   shows what vzip does
# make test   runs the whole test suite
# make help   lists the rest
GO ?= go
STATICCHECK = honnef.co/go/tools/cmd/staticcheck@v0.8.2
# A test that lacks what it needs fails; without root, it is passed over.
REQUIRE := $(or $(VZIP_TEST_REQUIRE),$(if $(filter 0,$(shell id -u)),all))
VERSION := $(shell git describe --tags --always --dirty 2>/dev/null)

.PHONY: help build demo test lint seeded figures soak clients bench bench-check bench-go bench-peer fuzz interop deps deps-test install man package package-test clean real real-go-tree real-vm-images real-text real-million real-directory
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-16s %s\n", $$1, $$2 }' Makefile

build: ## build bin/vzip
	$(GO) build -trimpath -ldflags '-X main.version=$(VERSION)' -o bin/vzip ./cmd/vzip

install: build ## install vzip below PREFIX, /usr/local by default
	install -D -m 0755 bin/vzip $(DESTDIR)$(or $(PREFIX),/usr/local)/bin/vzip

deps: ## install the programs that the demo and most tests use
	@GO='$(GO)' scripts/deps.sh

deps-test: ## install what the tests use besides
	@GO='$(GO)' scripts/deps.sh test

demo: deps build ## mount a layout, read it with tools people know, unmount
	@scripts/demo.sh

# The race detector makes the compressor 18 times slower, and finds nothing in it: a
# compressor belongs to one goroutine. internal/deflate shows the detector what goes in and out.
RACE = -race -gcflags=github.com/klauspost/compress/...=-race=false

test: deps-test bin/versitygw ## run all tests, with the race detector
	VZIP_TEST_REQUIRE=$(REQUIRE) $(GO) test $(RACE) -timeout 20m ./...
	$(GO) test -run Alloc ./zipgen ./internal/generation ./internal/web # the race detector allocates, too

bin/versitygw: # the S3 server of tests, benchmarks and the table of clients
	GOBIN='$(CURDIR)/bin' $(GO) install github.com/versity/versitygw/cmd/versitygw@v1.8.0

lint: ## check format, vet and staticcheck
	@test -z "$$(gofmt -l .)" || { gofmt -d .; exit 1; }
	$(GO) vet ./...
	$(GO) vet -tags large ./cmd/vzip
	$(GO) vet -tags seeded ./...
	$(GO) run $(STATICCHECK) ./...

seeded: ## prove that the tests catch bugs which are put in on purpose
	@GO='$(GO)' scripts/seeded.sh

figures: deps ## run what goes wrong once in a while very often, and print the figures; SCALE=0.1 for a part of it
	@VZIP_SCALE=$(or $(SCALE),full) VZIP_TEST_REQUIRE=$(REQUIRE) $(GO) test -timeout 0 -count 1 -v \
		./internal/crccache ./internal/checksum ./internal/verified ./internal/rig ./layout ./vfs ./cmd/vzip \
		$(if $(RUN),-run '$(RUN)') | grep -E 'figure:|^(---|===) FAIL|^(ok|FAIL|panic)'

soak: deps ## read, change and reload a mount for SOAK, 30 minutes by default, with METHOD=store or another
	$(GO) run ./internal/soak -time $(or $(SOAK),30m) -method $(or $(METHOD),store)

clients: build deps-test bin/versitygw ## let programs copy archives while things go wrong, and write docs/clients.md
	$(GO) run ./internal/clients -report docs/clients.md $(CLIENTS)

bench: build bin/versitygw ## measure beside other programs: BENCH='-only sequential -scale 0.1'; docs/performance.md has the rest
	@GO='$(GO)' scripts/deps.sh bench
	@$(GO) build -o bin/loopback github.com/hanwen/go-fuse/v2/example/loopback
	@$(GO) run ./internal/bench $(BENCH)

bench-go: ## run Go's benchmarks
	$(GO) test -run '^$$' -bench . -benchmem ./...

bench-check: ## as bench, and compare with the aims: HOLDS or MISSED
	@$(MAKE) --no-print-directory bench BENCH='-check $(BENCH)'

bench-peer: ## measure zipgen beside a library that keeps headers in memory, and compare with the aims
	@GO='$(GO)' scripts/bench-peer.sh

interop: build ## read archives with other people's programs and libraries, and write docs/interop.md
	@GO='$(GO)' scripts/deps.sh interop
	@$(MAKE) --no-print-directory -C internal/interop/adapters OUT='$(CURDIR)/bin/interop'
	$(GO) run ./internal/interop -report docs/interop.md $(INTEROP)

fuzz: ## run each fuzz target for FUZZTIME, 10 minutes by default
	@GO='$(GO)' scripts/fuzz.sh $(FUZZTIME)

real: real-go-tree real-vm-images real-text real-million real-directory ## prove it on real input, all of the following

real-go-tree: deps build ## the Go tree: copied out, extracted, compared
	@GO='$(GO)' scripts/real-go-tree.sh

real-vm-images: deps build ## two sparse disk images, 155 GB
	@scripts/real-vm-images.sh

real-text: deps build ## 5 GiB of text, compressed
	@scripts/real-text.sh

real-million: deps build ## a million files
	@scripts/real-million.sh

real-directory: deps ## a central directory of 4 GiB, on both sides; takes 12 GB of memory
	$(GO) test -tags large -count 1 -run TestDirectorySizeMounted -v ./cmd/vzip

man: build ## write the man pages to bin/man
	SOURCE_DATE_EPOCH=$(or $(SOURCE_DATE_EPOCH),$(shell git log -1 --format=%ct)) bin/vzip man bin/man

package: ## make .deb and .rpm in bin/package, for ARCH="amd64 arm64"
	@GO='$(GO)' scripts/package.sh $(ARCH)

package-test: ## make the packages twice, install, use and remove them in a copy of this system; as root
	@GO='$(GO)' scripts/deps.sh package
	@GO='$(GO)' scripts/package-test.sh

clean: ## remove what was built
	rm -rf bin
