package web

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/emulation"
	cdplog "github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"vzip/internal/require"
)

// browserTime is for a browser that starts on a machine that has other things to do.
const browserTime = 6 * time.Minute

// window is a browser's, headless.
type window struct {
	t         *testing.T
	ctx       context.Context
	downloads string // a folder
	shots     string // a folder for screenshots; "": none are kept

	mu       sync.Mutex
	troubles []string             // what its console says
	ended    map[string]chan bool // downloads by their GUID: whether they came to their end
}

func openWindow(t *testing.T) *window {
	t.Helper()
	require.Needs(t, "chromium")
	dir := t.TempDir()
	w := &window{t: t, downloads: filepath.Join(dir, "downloads"), shots: os.Getenv("VZIP_SCREENSHOTS"), ended: map[string]chan bool{}}
	must(t, os.Mkdir(w.downloads, 0o755))
	ctx, cancel := context.WithTimeout(context.Background(), browserTime)
	t.Cleanup(cancel)
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath("chromium"), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.UserDataDir(filepath.Join(dir, "profile")),
		chromedp.Flag("disable-dev-shm-usage", true), chromedp.WSURLReadTimeout(browserTime),
		chromedp.Env("HOME="+dir, "XDG_CONFIG_HOME="+dir, "XDG_CACHE_HOME="+dir))
	ctx, cancel = chromedp.NewExecAllocator(ctx, options...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	w.ctx = ctx
	must(t, chromedp.Listen(ctx, w.hear))
	must(t, chromedp.ListenBrowser(ctx, w.hear))
	yes := true
	_, err := chromedp.CallBrowser(ctx, browser.SetDownloadBehavior, browser.SetDownloadBehaviorParams{
		Behavior: browser.SetDownloadBehaviorBehaviorAllowAndName, DownloadPath: w.downloads, EventsEnabled: &yes,
	})
	must(t, err)
	t.Cleanup(func() { must(t, chromedp.Cancel(ctx)) }) // waits until it has ended
	return w
}

func (w *window) hear(event any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch e := event.(type) {
	case *cdplog.EventEntryAdded:
		w.troubles = append(w.troubles, fmt.Sprintf("%s: %s %s", e.Entry.Level, e.Entry.Text, e.Entry.URL))
	case *runtime.EventConsoleAPICalled:
		w.troubles = append(w.troubles, "console: a script ran")
	case *runtime.EventExceptionThrown:
		w.troubles = append(w.troubles, e.ExceptionDetails.Text)
	case *browser.EventDownloadWillBegin:
		w.download(e.GUID)
	case *browser.EventDownloadProgress:
		if e.State != browser.DownloadProgressStateInProgress {
			select {
			case w.download(e.GUID) <- e.State == browser.DownloadProgressStateCompleted:
			default:
			}
		}
	}
}

func (w *window) download(guid string) chan bool {
	if w.ended[guid] == nil {
		w.ended[guid] = make(chan bool, 1)
	}
	return w.ended[guid]
}

func (w *window) run(steps ...chromedp.Action[chromedp.Void]) {
	w.t.Helper()
	must(w.t, chromedp.Do(w.ctx, steps...))
}

// ask returns what an action finds.
func ask[T any](w *window, a chromedp.Action[T]) T {
	w.t.Helper()
	answer, err := chromedp.Run(w.ctx, a)
	must(w.t, err)
	return answer
}

// looks sets how wide the window is, and whether its user likes it dark.
func (w *window) looks(width int64, dark bool) {
	w.t.Helper()
	scheme := "light"
	if dark {
		scheme = "dark"
	}
	w.run(chromedp.EmulateViewport(width, 800))
	_, err := chromedp.Call(w.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}},
	})
	must(w.t, err)
}

// shoot takes a screenshot of the whole page, at each width and in both colours, and
// holds that nothing is wider than the window.
func (w *window) shoot(name string) {
	w.t.Helper()
	ground := map[bool]string{}
	for _, width := range []int64{390, 1280} {
		for _, dark := range []bool{false, true} {
			w.looks(width, dark)
			wide := ask(w, chromedp.Evaluate[int64]("document.documentElement.scrollWidth"))
			ground[dark] = ask(w, chromedp.Evaluate[string]("getComputedStyle(document.body).backgroundColor"))
			if wide > width {
				w.t.Errorf("%s: %d pixels wide in a window of %d", name, wide, width)
			}
			if w.shots == "" {
				continue
			}
			png := ask(w, chromedp.FullScreenshot(100))
			must(w.t, os.MkdirAll(w.shots, 0o755))
			must(w.t, os.WriteFile(filepath.Join(w.shots, fmt.Sprintf("%s-%d-%s.png", name, width, map[bool]string{false: "light", true: "dark"}[dark])), png, 0o644))
		}
	}
	if ground[false] == ground[true] {
		w.t.Errorf("%s: dark and light have one ground, %s", name, ground[true])
	}
	w.looks(1280, false)
}

// click follows the link with this text.
func (w *window) click(text string) {
	w.t.Helper()
	w.run(chromedp.Click(fmt.Sprintf(`//a[normalize-space(.)=%q]`, text)))
}

// title waits for a page with this title.
func (w *window) title(want string) {
	w.t.Helper()
	got := ""
	for ; w.ctx.Err() == nil; time.Sleep(20 * time.Millisecond) {
		var err error
		if got, err = chromedp.Run(w.ctx, chromedp.Title()); err == nil && got == want {
			w.run(chromedp.WaitReady(chromedp.CSS("footer")))
			return
		}
	}
	w.t.Fatalf("got page %q, want %q", got, want)
}

// fetch clicks on a link that is a download, and returns the SHA-256 of the file that the browser
// makes of it.
func (w *window) fetch(text string) string {
	w.t.Helper()
	w.mu.Lock()
	clear(w.ended)
	w.mu.Unlock()
	w.click(text)
	for ; w.ctx.Err() == nil; time.Sleep(20 * time.Millisecond) {
		w.mu.Lock()
		for guid, ended := range w.ended {
			select {
			case whole := <-ended:
				w.mu.Unlock()
				if !whole {
					return "cut off"
				}
				data, err := os.ReadFile(filepath.Join(w.downloads, guid))
				must(w.t, err)
				return sumOf(data)
			default:
			}
		}
		w.mu.Unlock()
	}
	w.t.Fatalf("%s: no download ended", text)
	return ""
}

func sumOf(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// TestBrowser does what people do, with a browser that they have.
func TestBrowser(t *testing.T) {
	t.Parallel()
	w := openWindow(t)
	s := showSite(t)
	w.run(chromedp.Navigate(s.url))
	w.title("Archives")
	w.shoot("index")

	if got, want := w.fetch("vm-images.zip"), sumOf(s.oracle("vm-images.zip")); got != want {
		t.Errorf("an archive: got SHA-256 %s, want %s", got, want)
	}
	w.run(chromedp.Click(`//a[.="Browse vm-images.zip"]`))
	w.title("vm-images.zip/")
	w.click("images/")
	w.title("vm-images.zip/images/")
	w.click("linux/")
	w.title("vm-images.zip/images/linux/")
	w.shoot("folder")
	want, err := os.ReadFile(filepath.Join(filepath.Dir(s.file), "linux/disk.vhdx"))
	must(t, err)
	if got := w.fetch("disk.vhdx"); got != sumOf(want) {
		t.Errorf("an entry: got SHA-256 %s, want %s", got, sumOf(want))
	}
	if got, want := w.fetch("Download archive"), sumOf(s.oracle("vm-images.zip")); got != want {
		t.Errorf("the archive again: got SHA-256 %s, want %s", got, want)
	}
	w.click("images")
	w.title("vm-images.zip/images/")
	w.click("Archives")
	w.title("Archives")

	// Names and contents that would like to do something.
	w.run(chromedp.Navigate(s.url + "/odd.zip/"))
	w.title("odd.zip/")
	w.shoot("odd")
	if got := w.fetch("evil.html"); got != sumOf([]byte(hostilePage)) {
		t.Errorf("a hostile page: got SHA-256 %s", got)
	}

	// A folder of several pages.
	w.run(chromedp.Navigate(s.url + "/many.zip/"))
	w.title("many.zip/")
	w.run(chromedp.Click(chromedp.CSS(`nav.above a[rel=next]`)), chromedp.WaitReady(chromedp.CSS(`nav.above a[rel=prev]`)))
	w.run(chromedp.SendKeys(chromedp.CSS(`#from`), "f1050\r"), chromedp.WaitReady(`//a[.="f1050"]`))
	if w.shots != "" {
		w.looks(390, true)
		w.run(chromedp.ScrollIntoView(chromedp.CSS("footer")))
		w.looks(1280, false)
		must(t, os.WriteFile(filepath.Join(w.shots, "many.png"), ask(w, chromedp.CaptureScreenshot()), 0o644))
	}
	w.mu.Lock()
	for _, text := range w.troubles {
		t.Error(text)
	}
	w.troubles = nil
	w.mu.Unlock()

	// What is not there has a way back. The browser itself tells of the 404.
	w.run(chromedp.Navigate(s.url + "/vm-images.zip/nothing"))
	w.title("Not Found")
	w.shoot("error")
	w.click("All archives")
	w.title("Archives")

	// While files are hashed the page comes again by itself.
	end := s.early()
	w.run(chromedp.Navigate(s.url))
	w.title("Archives")
	w.run(chromedp.WaitReady(chromedp.CSS(".hashing")))
	w.shoot("hashing")
	end()
	w.run(chromedp.WaitNotPresent(chromedp.CSS(".hashing")), chromedp.WaitReady(chromedp.CSS(".ready")))

	// A download that fails is no file.
	must(t, os.WriteFile(filepath.Join(filepath.Dir(s.file), "linux/boot/initrd.img"), []byte("other"), 0o644))
	w.run(chromedp.Navigate(s.url + "/vm-images.zip/images/linux/boot/"))
	w.title("vm-images.zip/images/linux/boot/")
	w.click("initrd.img")
	w.title("Service Unavailable")
	w.run(chromedp.Navigate(s.url))
	w.title("Archives")
	w.run(chromedp.WaitReady(chromedp.CSS(".broken")))
	w.shoot("changed")
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, text := range w.troubles {
		if !strings.Contains(text, "404") && !strings.Contains(text, "503") {
			t.Error(text)
		}
	}
}
