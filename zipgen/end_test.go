package zipgen

import "testing"

// The end records by themselves: a directory of 4 GiB takes more memory to
// build than a test should.
func TestEndRecords(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		end  end
		want string
	}{
		{"none", end{}, "50 4b 05 06 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00"},
		{
			"all below the limits", end{count: 0xfffe, directory: 0xfffffffe, directoryAt: 0xfffffffe, comment: "c"},
			`50 4b 05 06  00 00 00 00
			fe ff fe ff   // entries
			fe ff ff ff   // directory size
			fe ff ff ff   // directory offset
			01 00 63`,
		},
		{
			"65,535 entries", end{count: 0xffff, directory: 0x1000, directoryAt: 0x2000},
			`50 4b 06 06                // ZIP64 end record
			2c 00 00 00 00 00 00 00     // size of the rest
			2d 03  2d 00                // made by: Unix, 4.5; version needed 4.5
			00 00 00 00  00 00 00 00    // disks
			ff ff 00 00 00 00 00 00     // entries on this disk
			ff ff 00 00 00 00 00 00     // entries in total
			00 10 00 00 00 00 00 00     // directory size
			00 20 00 00 00 00 00 00     // directory offset
			50 4b 06 07                 // locator
			00 00 00 00                 // disk
			00 30 00 00 00 00 00 00     // offset of the ZIP64 end record
			01 00 00 00                 // disks
			50 4b 05 06  00 00 00 00    // end record
			ff ff ff ff  ff ff ff ff  ff ff ff ff  00 00`,
		},
		{
			"65,536 entries", end{count: 0x10000, directory: 0x1000, directoryAt: 0x2000, comment: "c"},
			`50 4b 06 06  2c 00 00 00 00 00 00 00  2d 03 2d 00  00 00 00 00 00 00 00 00
			00 00 01 00 00 00 00 00  00 00 01 00 00 00 00 00
			00 10 00 00 00 00 00 00  00 20 00 00 00 00 00 00
			50 4b 06 07  00 00 00 00  00 30 00 00 00 00 00 00  01 00 00 00
			50 4b 05 06  00 00 00 00  ff ff ff ff  ff ff ff ff  ff ff ff ff  01 00 63`,
		},
		{
			"directory of 4 GiB less 1", end{count: 1, directory: 0xffffffff, directoryAt: 2},
			`50 4b 06 06  2c 00 00 00 00 00 00 00  2d 03 2d 00  00 00 00 00 00 00 00 00
			01 00 00 00 00 00 00 00  01 00 00 00 00 00 00 00
			ff ff ff ff 00 00 00 00  02 00 00 00 00 00 00 00
			50 4b 06 07  00 00 00 00  01 00 00 00 01 00 00 00  01 00 00 00
			50 4b 05 06  00 00 00 00  ff ff ff ff  ff ff ff ff  ff ff ff ff  00 00`,
		},
		{
			"directory of 4 GiB", end{count: 1, directory: 0x100000000, directoryAt: 2},
			`50 4b 06 06  2c 00 00 00 00 00 00 00  2d 03 2d 00  00 00 00 00 00 00 00 00
			01 00 00 00 00 00 00 00  01 00 00 00 00 00 00 00
			00 00 00 00 01 00 00 00  02 00 00 00 00 00 00 00
			50 4b 06 07  00 00 00 00  02 00 00 00 01 00 00 00  01 00 00 00
			50 4b 05 06  00 00 00 00  ff ff ff ff  ff ff ff ff  ff ff ff ff  00 00`,
		},
		{
			"directory at 4 GiB less 1", end{count: 1, directory: 2, directoryAt: 0xffffffff},
			`50 4b 06 06  2c 00 00 00 00 00 00 00  2d 03 2d 00  00 00 00 00 00 00 00 00
			01 00 00 00 00 00 00 00  01 00 00 00 00 00 00 00
			02 00 00 00 00 00 00 00  ff ff ff ff 00 00 00 00
			50 4b 06 07  00 00 00 00  01 00 00 00 01 00 00 00  01 00 00 00
			50 4b 05 06  00 00 00 00  ff ff ff ff  ff ff ff ff  ff ff ff ff  00 00`,
		},
		{
			"directory at 4 GiB", end{count: 1, directory: 2, directoryAt: 0x100000000},
			`50 4b 06 06  2c 00 00 00 00 00 00 00  2d 03 2d 00  00 00 00 00 00 00 00 00
			01 00 00 00 00 00 00 00  01 00 00 00 00 00 00 00
			02 00 00 00 00 00 00 00  00 00 00 00 01 00 00 00
			50 4b 06 07  00 00 00 00  02 00 00 00 01 00 00 00  01 00 00 00
			50 4b 05 06  00 00 00 00  ff ff ff ff  ff ff ff ff  ff ff ff ff  00 00`,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			sameBytes(t, test.end.append(nil), fromHex(t, test.want))
		})
	}
}
