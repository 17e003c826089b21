// Package browser drives a headless Chromium of its own for one test and keeps
// screenshots of what it saw. It refuses to share anything between tests: each
// browser starts with an empty profile and ends with its test.
package browser

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/codegrant/codegrant/internal/testenv"
)

// patience is how long a step may take. A step waits for what it needs to appear,
// so only one that will never succeed takes that long.
const patience = 30 * time.Second

// A Browser is a tab of a Chromium. Its methods fail the test, with a screenshot,
// where they do not succeed in time.
type Browser struct {
	t         testing.TB
	tab       context.Context
	artifacts string
}

// New starts a browser, as wide as a desk's, that ends with the test. Screenshots
// go to a folder named after the test, under e2e/artifacts. Flags are Chromium's, such as
// host-resolver-rules.
func New(t testing.TB, flags ...map[string]any) *Browser {
	t.Helper()
	options := append(slices.Clone(chromedp.DefaultExecAllocatorOptions[:]),
		chromedp.ExecPath(testenv.Chromium(t)),
		chromedp.UserDataDir(t.TempDir()),
		chromedp.WindowSize(1280, 900),
		chromedp.DisableGPU,
		// With the defaults, these keep Chromium from calling home.
		chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-quic", true),
	)
	for _, more := range flags {
		for name, value := range more {
			options = append(options, chromedp.Flag(name, value))
		}
	}
	if os.Geteuid() == 0 {
		options = append(options, chromedp.NoSandbox) // Chromium has no sandbox for root
	}
	process, end := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(end)
	return open(t, process, chromedp.WithErrorf(t.Logf))
}

// Tab opens another tab of the same browser: it has the same cookies.
func (b *Browser) Tab() *Browser {
	b.t.Helper()
	return open(b.t, b.tab)
}

// Profile opens an empty profile in the same browser for a test: it shares no cookies, and
// takes less time to start than a browser.
func (b *Browser) Profile(t testing.TB) *Browser {
	t.Helper()
	return open(t, b.tab, chromedp.WithNewBrowserContext())
}

func open(t testing.TB, parent context.Context, options ...chromedp.ContextOption) *Browser {
	t.Helper()
	tab, _ := chromedp.NewContext(parent, options...)
	t.Cleanup(func() {
		// Waits until the browser is gone, so that its profile can be removed.
		ctx, cancel := context.WithTimeout(tab, patience)
		defer cancel()
		if err := chromedp.Cancel(ctx); err != nil {
			t.Logf("close browser: %v", err)
		}
	})
	// The first action starts the browser and may have no deadline of its own.
	if err := chromedp.Do(tab, chromedp.Navigate("about:blank")); err != nil {
		t.Fatalf("start browser: %v", err)
	}
	return &Browser{t: t, tab: tab, artifacts: artifacts(t)}
}

// Open goes to an address and waits until the page is loaded.
func (b *Browser) Open(url string) {
	b.t.Helper()
	b.Do("open "+url, chromedp.Navigate(url))
}

// Fill types text into the field that a CSS selector names, in place of what the
// field holds.
func (b *Browser) Fill(selector, text string) {
	b.t.Helper()
	// chromedp's own Clear and SendKeys are not used: the second reads a node's attributes
	// while an event of the page may change them, which is a data race (0.23.0), and the
	// first changes an attribute, which is not what the field holds after somebody typed.
	b.focus(selector)
	if text == "" {
		text = kb.Delete
	}
	b.Do("fill "+selector, chromedp.KeyEvent(text))
}

// focus waits until the first element that a CSS selector names is visible, and puts the focus
// there, with all that it holds selected.
func (b *Browser) focus(selector string) {
	b.t.Helper()
	name := strconv.Quote(selector)
	script := "(() => { const e = document.querySelector(" + name + "); if (!e || document.readyState === 'loading' || !e.getClientRects().length) return false; e.focus(); e.select?.(); return document.activeElement === e })()"
	ctx, cancel := context.WithTimeout(b.tab, patience)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		// An error is that of a page that is being replaced: its successor is asked.
		if focused, err := chromedp.Run(ctx, chromedp.Evaluate[bool](script)); err == nil && focused {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			b.Screenshot("failed to focus " + selector)
			b.t.Fatalf("focus %s: the page has no such element that is visible", selector)
		}
	}
}

// Click clicks on the first visible element that a CSS selector names. It does not
// wait for the page that this may lead to: see See.
func (b *Browser) Click(selector string) {
	b.t.Helper()
	b.Do("click "+selector, chromedp.Click(chromedp.CSS(selector), chromedp.NodeVisible))
}

// ClickAway clicks on an element that leads out of the web, to an app, and returns the address
// that the browser would open there, and what of a page's policy keeps it from that.
func (b *Browser) ClickAway(selector string) (to, blocked string) {
	b.t.Helper()
	events := make(chan any, 64)
	ctx, cancel := context.WithTimeout(b.tab, patience)
	defer cancel()
	if err := chromedp.Listen(ctx, func(ev any) {
		switch ev.(type) {
		case *network.EventRequestWillBeSent, *network.EventLoadingFailed:
			select {
			case events <- ev:
			default: // a page with more of them is none that leads away
			}
		}
	}); err != nil {
		b.t.Fatal(err)
	}
	b.Click(selector)
	asked := make(map[network.RequestID]string)
	for {
		select {
		case ev := <-events:
			switch ev := ev.(type) {
			case *network.EventRequestWillBeSent:
				asked[ev.RequestID] = ev.Request.URL
			case *network.EventLoadingFailed: // nothing here opens addresses of apps
				return asked[ev.RequestID], string(ev.BlockedReason)
			}
		case <-ctx.Done():
			b.Screenshot("failed to leave by " + selector)
			b.t.Fatalf("the browser has asked for %v, and nothing led away", asked)
		}
	}
}

// See waits until the page shows a text, on this page or on one that is loading.
func (b *Browser) See(text string) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.tab, patience)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		// An error is that of a page that is being replaced: its successor is asked.
		shown, err := chromedp.Run(ctx, chromedp.Evaluate[string]("document.body.innerText"))
		if err == nil && strings.Contains(shown, text) {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			b.Screenshot("failed to see " + text)
			b.t.Fatalf("see %q: page shows %q", text, shown)
		}
	}
}

// Has reports whether the page has an element that a CSS selector names, now. A page that is
// being replaced has none.
func (b *Browser) Has(selector string) bool {
	b.t.Helper()
	return b.holds("document.readyState !== 'loading' && document.querySelector(" + strconv.Quote(selector) + ") !== null")
}

// At reports whether the address of the page begins so, now. A page that is being replaced
// is nowhere.
func (b *Browser) At(prefix string) bool {
	b.t.Helper()
	return b.holds("location.href.startsWith(" + strconv.Quote(prefix) + ")")
}

func (b *Browser) holds(script string) bool {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.tab, patience)
	defer cancel()
	holds, err := chromedp.Run(ctx, chromedp.Evaluate[bool](script))
	return err == nil && holds
}

// Text returns the visible text of the first element that a CSS selector names.
func (b *Browser) Text(selector string) string {
	b.t.Helper()
	return strings.TrimSpace(run(b, "read "+selector, chromedp.Text(chromedp.CSS(selector))))
}

// URL returns the address of the page that the tab shows.
func (b *Browser) URL() string {
	b.t.Helper()
	return run(b, "read address", chromedp.Location())
}

// Phone makes the tab as large as a phone.
func (b *Browser) Phone() {
	b.t.Helper()
	b.Do("turn into a phone", chromedp.EmulateViewport(390, 844,
		chromedp.EmulateMobile, chromedp.EmulateTouch, chromedp.EmulatePortrait))
}

// Size makes the tab that many pixels wide and high.
func (b *Browser) Size(width, height int64) {
	b.t.Helper()
	b.Do("resize", chromedp.EmulateViewport(width, height))
}

// Theme has pages shown to somebody who asked their system for that theme: light or dark.
func (b *Browser) Theme(theme string) {
	b.t.Helper()
	b.Do("change the theme", func(ctx context.Context, t *chromedp.Target) (void chromedp.Void, err error) {
		_, err = cdp.Call(ctx, t, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: theme}},
		})
		return void, err
	})
}

// Eval runs a script beside the page's policy, and returns the text that it, or its
// promise, ends in.
func (b *Browser) Eval(script string) string {
	b.t.Helper()
	return run(b, "run a script", chromedp.Evaluate[string](script, chromedp.EvalAwaitPromise))
}

// PressIn types keys, such as Enter, in the field that a CSS selector names.
func (b *Browser) PressIn(selector, keys string) {
	b.t.Helper()
	b.focus(selector)
	b.Press(keys)
}

// Press types keys, such as a tab, wherever the focus is.
func (b *Browser) Press(keys string) {
	b.t.Helper()
	b.Do("press keys", chromedp.KeyEvent(keys))
}

// Do performs any other actions of chromedp as one step of that name.
func (b *Browser) Do(step string, actions ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	run(b, step, chromedp.Steps(actions...))
}

func run[T any](b *Browser, step string, action chromedp.Action[T]) T {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.tab, patience)
	defer cancel()
	value, err := chromedp.Run(ctx, action)
	if err != nil {
		b.Screenshot("failed to " + step)
		b.t.Fatalf("%s: %v", step, err)
	}
	return value
}

// Framed returns the addresses of the page's frames that show what is there, and not the
// browser's page of an error, which is what it puts where framing is refused.
func (b *Browser) Framed() (shown []string) {
	b.t.Helper()
	got := run(b, "look at frames", func(ctx context.Context, t *chromedp.Target) (page.GetFrameTreeResult, error) {
		return cdp.Call(ctx, t, page.GetFrameTree, cdp.Empty{})
	})
	for _, child := range got.FrameTree.ChildFrames {
		if child.Frame.UnreachableURL == "" {
			shown = append(shown, child.Frame.URL)
		}
	}
	return shown
}

// Screenshot keeps a picture of the whole page, as a PNG of that name.
func (b *Browser) Screenshot(name string) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.tab, patience)
	defer cancel()
	picture, err := chromedp.Run(ctx, chromedp.FullScreenshot(100))
	if err != nil {
		b.t.Errorf("take screenshot %q: %v", name, err)
		return
	}
	path := filepath.Join(b.artifacts, fileName(name)+".png")
	if err := errors.Join(os.MkdirAll(b.artifacts, 0o755), os.WriteFile(path, picture, 0o644)); err != nil {
		b.t.Errorf("keep screenshot: %v", err)
		return
	}
	b.t.Logf("screenshot %s", path)
}

// artifacts names the folder for the test's screenshots, beside the module's
// go.mod, wherever below it the test runs.
func artifacts(t testing.TB) string {
	t.Helper()
	module, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(module, "go.mod")); err == nil {
			break
		}
		if module == filepath.Dir(module) {
			t.Fatal("find folder for screenshots: no go.mod above the test")
		}
		module = filepath.Dir(module)
	}
	return filepath.Join(module, "artifacts", fileName(t.Name()))
}

// fileName turns a name for people into one for files.
func fileName(name string) string {
	name = strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '_', r == '.':
			return r
		default:
			return '-'
		}
	}, name)
	return name[:min(len(name), 100)]
}
