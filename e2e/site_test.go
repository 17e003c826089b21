package e2e

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/codegrant/codegrant/e2e/browser"
	"github.com/codegrant/codegrant/internal/testenv"
)

// TestSite makes the website of the documentation, and opens its files in a browser that
// can reach no host: it is searched, and has its diagrams.
func TestSite(t *testing.T) {
	testenv.Chromium(t)
	testenv.Program(t, "npm")
	text, err := os.ReadFile(filepath.Join("..", "site", "requirements.txt"))
	if err != nil {
		t.Fatal(err)
	}
	bin := testenv.Python(t, strings.Fields(string(text))...)
	out, clone := filepath.Join(t.TempDir(), "site"), filepath.Join(t.TempDir(), "clone")
	// A release of before, whose pages are as now.
	for _, args := range [][]string{{"clone", "--quiet", "--no-local", "..", clone}, {"-C", clone, "tag", "v1.2.2"}} {
		if said, err := exec.CommandContext(t.Context(), "git", args...).CombinedOutput(); err != nil {
			t.Fatalf("git %v: %v\n%s", args, err, said)
		}
	}
	build := exec.CommandContext(t.Context(), filepath.Join(clone, "scripts", "site.sh"), out)
	build.Env = append(os.Environ(), "MKDOCS="+filepath.Join(bin, "mkdocs"), "CODEGRANT_SITE_VERSION=v1.2.3")
	if said, err := build.CombinedOutput(); err != nil {
		t.Fatalf("make the site: %v\n%s", err, said)
	}
	index, err := os.ReadFile(filepath.Join(out, "index.html"))
	if err != nil || !strings.Contains(string(index), "Codegrant v1.2.3") {
		t.Errorf("the site does not say its version: %v", err)
	}

	pages, err := filepath.Glob(filepath.Join(clone, "docs", "*.md"))
	if err != nil || len(pages) < 30 {
		t.Fatal(pages, err)
	}
	for _, page := range pages {
		name := "docs/" + strings.TrimSuffix(filepath.Base(page), ".md") + ".html"
		if _, err := os.Stat(filepath.Join(out, name)); err != nil || !strings.Contains(string(index), `href="`+name+`"`) {
			t.Errorf("the menu does not lead to %s: %v", name, err)
		}
	}

	b := browser.New(t, map[string]any{"host-resolver-rules": "MAP * ~NOTFOUND", "allow-file-access-from-files": true})
	b.Open("file://" + filepath.Join(out, "index.html"))
	b.See("Sign-in with Amazon Cognito")
	b.Screenshot("index")
	for _, reader := range []string{"Start", "Build", "Operate", "Move", "Reference", "Project"} {
		if !b.Has(`.md-nav--primary label[for^="__nav_"]`) || !strings.Contains(b.Eval(`[...document.querySelectorAll(".md-nav--primary .md-nav__item--section > .md-nav__link")].map(e => e.textContent.trim()).join("|") + "|"`), reader+"|") {
			t.Errorf("the menu has no group %s", reader)
		}
	}
	b.Click(".versions summary")
	b.Click(`.versions a[href="v1.2.2/index.html"]`)
	b.See("Codegrant v1.2.2")
	b.Screenshot("a release")
	b.Click(".versions summary")
	b.Click(`.versions a[href="../index.html"]`)
	b.See("Codegrant v1.2.3")
	b.Fill("input.md-search__input", "refresh token rotation")
	b.See("matching documents")
	b.Screenshot("search")

	b.Open("file://" + filepath.Join(out, "docs", "journeys.html"))
	b.See("A signed-in request")
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(100 * time.Millisecond) {
		var drawn int
		b.Do("count the diagrams", func(ctx context.Context, _ *chromedp.Target) (void chromedp.Void, err error) {
			// Each has taken the place of its text.
			drawn, err = chromedp.Run(ctx, chromedp.Evaluate[int](`[...document.querySelectorAll("div.mermaid")].filter(d => d.getBoundingClientRect().height > 100).length`))
			return void, err
		})
		if drawn == 4 {
			break
		}
		if time.Now().After(deadline) {
			b.Screenshot("no diagrams")
			t.Fatalf("%d diagrams are drawn, want 4", drawn)
		}
	}
	b.Screenshot("journeys")

	// On a phone no page is wider than the screen: tables and diagrams scroll in their frames.
	b.Phone()
	for _, page := range append(pages, "README.md") {
		name := "docs/" + strings.TrimSuffix(filepath.Base(page), ".md") + ".html"
		if page == "README.md" {
			name = "index.html"
		}
		b.Open("file://" + filepath.Join(out, name))
		if wide := b.Eval(`String(document.documentElement.scrollWidth - document.documentElement.clientWidth)`); wide != "0" {
			b.Screenshot("too wide")
			t.Errorf("on a phone, %s is %s pixels wider than the screen", name, wide)
		}
	}
	b.Open("file://" + filepath.Join(out, "docs", "journeys.html"))
	b.See("A signed-in request")
	for deadline := time.Now().Add(30 * time.Second); b.Eval(`String([...document.querySelectorAll(".diagram > div.mermaid")].filter(d => d.getBoundingClientRect().width >= 600).length)`) != "4"; time.Sleep(100 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Error("on a phone, the diagrams are too small to read")
			break
		}
	}
	b.Screenshot("journeys on a phone")
	b.Open("file://" + filepath.Join(out, "docs", "http.html"))
	b.Screenshot("endpoints on a phone")
}
