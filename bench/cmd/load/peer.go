//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/codegrant/codegrant/bench/internal/wire"
	"github.com/codegrant/codegrant/codegranttest"
)

const oauth2Proxy = "github.com/oauth2-proxy/oauth2-proxy/v7@v7.15.6"

// startPeer builds and starts oauth2-proxy, in front of the same upstream, with the same pool
// and with sessions in cookies, which is its default.
func (f *field) startPeer(ctx context.Context, dir, address string) error {
	program, err := installed(ctx, oauth2Proxy)
	if err != nil {
		return err
	}
	log, err := os.Create(filepath.Join(dir, "oauth2-proxy.log"))
	if err != nil {
		return err
	}
	p, _, err := start(ctx, "oauth2-proxy", program, log,
		"--http-address="+address, "--upstream="+f.upstream.url, "--redirect-url=http://"+address+"/oauth2/callback",
		"--provider=oidc", "--oidc-issuer-url="+f.proxied.poolURL+"/"+poolID, "--client-id="+peerID, "--client-secret="+password+password,
		"--scope=openid email profile", "--email-domain=*", "--insecure-oidc-allow-unverified-email=true",
		"--cookie-secret=0123456789abcdef0123456789abcdef", "--cookie-secure=false", "--skip-provider-button=true", "--code-challenge-method=S256",
		"--set-xauthrequest=true", "--pass-user-headers=true", "--request-logging=false", "--auth-logging=false", "--standard-logging=true")
	if err != nil {
		return err
	}
	f.started = append(f.started, p.stop)
	p.url = "http://" + address
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
		conn, err := wire.Dial(ctx, address)
		if err == nil {
			conn.Close()
			break
		}
		if time.Now().After(deadline) || ctx.Err() != nil {
			said, _ := os.ReadFile(log.Name())
			return fmt.Errorf("oauth2-proxy does not listen; it says:\n%s", said)
		}
	}
	f.other = p
	cookies, err := browse(ctx, p.url+"/orders")
	if err != nil {
		return fmt.Errorf("sign in at oauth2-proxy: %w", err)
	}
	f.peerPages, err = gets(p.url+"/orders", "", cookies)
	return err
}

// installed builds a program of another module, once for this machine.
func installed(ctx context.Context, at string) (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	module, version, _ := strings.Cut(at, "@")
	name := filepath.Base(filepath.Dir(module))
	dir := filepath.Join(cache, "codegrant-tests", "tools", name+"-"+version)
	program := filepath.Join(dir, name)
	if _, err := os.Stat(program); err == nil {
		return program, nil
	}
	fmt.Fprintln(os.Stderr, "building", at)
	install := exec.CommandContext(ctx, "go", "install", at)
	install.Env = append(os.Environ(), "GOBIN="+dir, "GOFLAGS=")
	if output, err := install.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build %s: %w\n%s", at, err, output)
	}
	return program, nil
}

// signsIn has people sign in, one after the other, each in a new browser.
func (f *field) signsIn(page string) func(context.Context, int) error {
	return func(ctx context.Context, times int) error {
		for range times {
			if _, err := browse(ctx, page); err != nil {
				return err
			}
		}
		return nil
	}
}

// browse asks for a page in a new browser, signs in, and returns the cookies that it then has.
func browse(ctx context.Context, page string) (cookies []*http.Cookie, err error) {
	defer func() {
		if why := recover(); why != nil {
			said, ours := why.(failed)
			if !ours {
				panic(why)
			}
			err = errors.New(string(said))
		}
	}()
	browser := codegranttest.NewBrowser(standIn{ctx: ctx})
	browser.Client.Transport = &http.Transport{DisableCompression: true}
	defer browser.Client.CloseIdleConnections()
	got := browser.SignIn(page, "alice@example.com", password)
	if got.Status != http.StatusOK {
		return nil, fmt.Errorf("status %d at %s", got.Status, got.URL)
	}
	u, err := url.Parse(page)
	if err != nil {
		return nil, err
	}
	return browser.Client.Jar.(*cookiejar.Jar).Cookies(u), nil
}
