package standin

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

// TestLeaf: a host has one certificate, and another one long before it ends; of many hosts that
// somebody makes up, few are kept.
func TestLeaf(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, err := OpenAuthority(t.TempDir() + "/aws")
		if err != nil {
			t.Fatal(err)
		}
		const host = "cognito-idp.eu-west-1.amazonaws.com"
		serial := func() string {
			t.Helper()
			c, err := a.leaf(host)
			if err != nil {
				t.Fatal(err)
			}
			if now := time.Now(); now.Before(c.Leaf.NotBefore) || now.After(c.Leaf.NotAfter) {
				t.Errorf("at %v the certificate is good from %v to %v", now, c.Leaf.NotBefore, c.Leaf.NotAfter)
			}
			return c.Leaf.SerialNumber.String()
		}
		first := serial()
		time.Sleep(leafLifetime/2 - time.Minute)
		if serial() != first {
			t.Error("a host has another certificate before half of its time")
		}
		time.Sleep(2 * time.Minute)
		if serial() == first {
			t.Error("a host has the same certificate after half of its time")
		}
		for n := range maxLeaves + 1 {
			if _, err := a.leaf(fmt.Sprintf("shop%d.auth.eu-west-1.amazoncognito.com", n)); err != nil {
				t.Fatal(err)
			}
		}
		if len(a.leaves) > maxLeaves {
			t.Errorf("%d certificates are kept", len(a.leaves))
		}
		// A process that runs for as long as its authority lives says so when it is started again.
		time.Sleep(authorityYears*365*24*time.Hour - leafLifetime)
		if _, err := OpenAuthority(a.folder); err == nil {
			t.Error("an authority that ends before its certificates is used")
		}
	})
}
