# Rust, with the crates that Debian packages.
ALL += $(OUT)/rust/release/vzip-interop

$(OUT)/rust/release/vzip-interop: rust/main.rs rust/Cargo.toml rust/build.mk
	@mkdir -p $(@D)
	cp rust/main.rs rust/Cargo.toml $(OUT)/rust
	cd $(OUT)/rust && cargo build --release --offline --target-dir . \
		--config 'source.crates-io.replace-with = "debian"' \
		--config 'source.debian.directory = "/usr/share/cargo/registry"'
