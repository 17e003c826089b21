package pages

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Colors are those of pages, as #rrggbb. What is empty is as it is without a design, or
// follows from the others.
type Colors struct {
	Background string // of the window
	Card       string // of the page in it
	Line       string // around and between parts; it needs no contrast
	Text       string
	Muted      string // of text that matters less
	Accent     string // of buttons and links
	OnAccent   string // of the text of buttons; follows from Accent
	Hover      string // of buttons under the pointer; follows from Accent
	Notice     string // of what was done; follows from Accent
	OnNotice   string // behind it; follows from Notice and Card
	Warning    string // of what has failed
	OnWarning  string // behind it; follows from Warning and Card
}

// The colors of pages without a design.
var (
	light = Colors{
		Background: "#f6f5f2", Card: "#ffffff", Line: "#dedbd3", Text: "#1c1b19", Muted: "#5f5b53", Accent: "#0b5d53", OnAccent: "#ffffff", Hover: "#094a42",
		Notice: "#0b5d53", OnNotice: "#e1efec", Warning: "#8a3b12", OnWarning: "#fbeadf",
	}
	dark = Colors{
		Background: "#171614", Card: "#211f1c", Line: "#3a3731", Text: "#f1efe9", Muted: "#b3ada1", Accent: "#7fd1c3", OnAccent: "#10211e", Hover: "#a3e0d5",
		Notice: "#7fd1c3", OnNotice: "#1e3a35", Warning: "#f0a47d", OnWarning: "#452a1b",
	}
)

// enough is the contrast of text, by success criterion 1.4.3 of WCAG 2.2.
const enough = 4.5

// named are the colors by what configurations call them, and by the variable of the style
// sheet.
func (c *Colors) named() []namedColor {
	return []namedColor{
		{"background", "bg", &c.Background}, {"card", "card", &c.Card}, {"line", "line", &c.Line}, {"text", "ink", &c.Text}, {"muted", "soft", &c.Muted},
		{"accent", "accent", &c.Accent}, {"on_accent", "on-accent", &c.OnAccent}, {"hover", "hover", &c.Hover},
		{"notice", "calm", &c.Notice}, {"on_notice", "on-calm", &c.OnNotice}, {"warning", "warn", &c.Warning}, {"on_warning", "on-warn", &c.OnWarning},
	}
}

type namedColor struct {
	name, variable string
	value          *string
}

// pairs are what is written on what.
var pairs = [][2]string{
	{"text", "card"}, {"muted", "card"}, {"accent", "card"}, {"on_accent", "accent"}, {"on_accent", "hover"}, {"notice", "on_notice"}, {"warning", "on_warning"},
}

// fill completes what a design says of colors, in the light or in the dark.
func (c Colors) fill(base Colors) (Colors, error) {
	for _, color := range c.named() {
		if *color.value == "" {
			continue
		}
		if _, err := parseColor(*color.value); err != nil {
			return base, fmt.Errorf("%s: %w", color.name, err)
		}
	}
	def := func(into *string, value string) {
		if *into == "" {
			*into = value
		}
	}
	def(&c.Card, base.Card)
	def(&c.Background, base.Background)
	def(&c.Line, base.Line)
	def(&c.Text, base.Text)
	def(&c.Muted, base.Muted)
	if c.Accent != "" {
		def(&c.OnAccent, readable(c.Accent))
		def(&c.Hover, mix(c.Accent, c.OnAccent, -.15))
		def(&c.Notice, c.Accent)
	}
	def(&c.Accent, base.Accent)
	def(&c.OnAccent, base.OnAccent)
	def(&c.Hover, base.Hover)
	if c.Notice != "" || c.Card != base.Card {
		def(&c.Notice, base.Notice)
		def(&c.OnNotice, behind(c.Notice, c.Card))
	}
	def(&c.Notice, base.Notice)
	def(&c.OnNotice, base.OnNotice)
	if c.Warning != "" || c.Card != base.Card {
		def(&c.Warning, base.Warning)
		def(&c.OnWarning, behind(c.Warning, c.Card))
	}
	def(&c.Warning, base.Warning)
	def(&c.OnWarning, base.OnWarning)

	values := make(map[string]string)
	for _, color := range c.named() {
		values[color.name] = *color.value
	}
	for _, pair := range pairs {
		if got := contrast(values[pair[0]], values[pair[1]]); got < enough {
			return base, fmt.Errorf("%s %s on %s %s has a contrast of %.2f; text needs %.1f to be read by people with low vision (WCAG 2.2, 1.4.3)",
				pair[0], values[pair[0]], pair[1], values[pair[1]], got, enough)
		}
	}
	return c, nil
}

// inTheDark is an accent for a dark card: one that is readable there, of the same hue.
func inTheDark(accent, card string) string {
	for part := 0.0; part <= 1; part += .05 {
		if shade := mix(accent, "#ffffff", part); contrast(shade, card) >= 7 {
			return shade
		}
	}
	return "#ffffff"
}

// css is the palette as variables.
func (c Colors) css() string {
	var b strings.Builder
	for _, color := range c.named() {
		fmt.Fprintf(&b, "--%s: %s; ", color.variable, *color.value)
	}
	return b.String()
}

type rgb [3]float64

func parseColor(text string) (rgb, error) {
	var c rgb
	n, err := strconv.ParseUint(strings.TrimPrefix(text, "#"), 16, 32)
	if err != nil || len(text) != 7 || text[0] != '#' {
		return c, fmt.Errorf("%q is not a color such as #0b5d53", text)
	}
	return rgb{float64(n >> 16), float64(n >> 8 & 255), float64(n & 255)}, nil
}

// mix goes a part of the way from one color to another; of less than 0, away from it.
func mix(from, to string, part float64) string {
	a, _ := parseColor(from)
	b, _ := parseColor(to)
	out := "#"
	for i := range a {
		out += fmt.Sprintf("%02x", int(math.Round(min(255, max(0, a[i]+(b[i]-a[i])*part)))))
	}
	return out
}

// readable is black or white, whichever is read better on a color.
func readable(on string) string {
	if contrast("#ffffff", on) >= contrast("#111111", on) {
		return "#ffffff"
	}
	return "#111111"
}

// behind is a tint of a color that it can be read on.
func behind(color, card string) string {
	for _, part := range []float64{.14, .1, .06, .03} {
		if tint := mix(card, color, part); contrast(color, tint) >= enough {
			return tint
		}
	}
	return card
}

// contrast is the ratio of WCAG 2.2 between two colors.
func contrast(a, b string) float64 {
	la, lb := luminance(a), luminance(b)
	return (max(la, lb) + .05) / (min(la, lb) + .05)
}

func luminance(text string) float64 {
	c, _ := parseColor(text)
	var sum float64
	for i, weight := range [...]float64{.2126, .7152, .0722} {
		v := c[i] / 255
		if v <= .04045 {
			v /= 12.92
		} else {
			v = math.Pow((v+.055)/1.055, 2.4)
		}
		sum += weight * v
	}
	return sum
}
