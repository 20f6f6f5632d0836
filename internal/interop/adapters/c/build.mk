# C and C++: an adapter for each library.
C_ADAPTERS := $(basename $(notdir $(wildcard c/*.c c/*.cpp)))

ALL += $(addprefix $(OUT)/c/,$(C_ADAPTERS))

# The packages that pkg-config knows, and what to say for the others.
$(OUT)/c/libzip:     C_PACKAGES = libzip
$(OUT)/c/minizip:    C_PACKAGES = minizip
$(OUT)/c/zziplib:    C_PACKAGES = zziplib
$(OUT)/c/physfs:     C_PACKAGES = physfs
$(OUT)/c/libgsf:     C_PACKAGES = libgsf-1
$(OUT)/c/quazip:     C_PACKAGES = quazip1-qt5
$(OUT)/c/karchive:   C_PACKAGES = Qt5Core
$(OUT)/c/karchive:   C_FLAGS = -isystem /usr/include/KF5/KArchive -lKF5Archive
$(OUT)/c/poco:       C_FLAGS = -lPocoZip -lPocoFoundation
$(OUT)/c/zipios:     C_FLAGS = -std=c++14 -lzipios
$(OUT)/c/wx:         C_FLAGS = $$(wx-config --cxxflags --libs base)
$(OUT)/c/ziparchive: C_FLAGS = -isystem /usr/include/android \
	-L/usr/lib/$(shell $(CC) -print-multiarch)/android \
	-Wl,-rpath,/usr/lib/$(shell $(CC) -print-multiarch)/android -lziparchive

C_LINK = $< -o $@ $$(pkg-config --cflags --libs $(C_PACKAGES) libcrypto) $(C_FLAGS)

$(OUT)/c/%: c/%.c c/adapter.h c/build.mk
	@mkdir -p $(@D)
	$(CC) -std=gnu11 -D_GNU_SOURCE -O2 -Wall -Wextra -fPIC $(C_LINK)

$(OUT)/c/%: c/%.cpp c/adapter.h c/build.mk
	@mkdir -p $(@D)
	$(CXX) -std=gnu++17 -O2 -Wall -Wextra -fPIC $(C_LINK)
