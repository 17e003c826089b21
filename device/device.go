package device

import (
	"strings"
	"sync"

	useragent "github.com/medama-io/go-useragent"
)

// parser holds tables of some megabytes: they are made when somebody asks.
var parser = sync.OnceValue(useragent.NewParser)

// maxAgent bounds what is looked at.
const maxAgent = 512

// Describe says which browser and which system a User-Agent header names, such as
// "Firefox 145" and "Windows". Either is empty where it is not known. It is for
// codegrant.Config.DescribeAgent.
func Describe(userAgent string) (browser, system string) {
	if userAgent == "" || len(userAgent) > maxAgent {
		return "", ""
	}
	ua := parser().Parse(userAgent)
	browser, system = ua.Browser().String(), ua.OS().String()
	if major := ua.BrowserVersionMajor(); browser != "" && major != "" && strings.Trim(major, "0123456789") == "" && len(major) <= 6 {
		browser += " " + major
	}
	if system == "MacOS" {
		system = "macOS" // as its maker writes it
	}
	return browser, system
}
