package console

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/codegrant/codegrant"
)

// The series that pages show. No page shows other series.
const (
	SignIns   = "sign-ins"
	Refusals  = "refusals"
	Refreshes = "refreshes"
)

type picturesPage struct {
	Sections []pictures
}

type pictures struct {
	Title, Note string
	Charts      []Chart
}

func (c *Console) showPictures(w http.ResponseWriter, r *http.Request, id *codegrant.Identity) {
	page := picturesPage{[]pictures{
		{"Sign-ins", "", c.Day.charts(SignIns, "signed in", "refused", "failed")},
		{"Refusals by reason", "Of signed-in people's requests, and of proofs and sign-ins.", c.Day.charts(Refusals)},
		{"Refreshes of sessions", "", c.Day.charts(Refreshes, "refreshed", "failed")},
		{"Requests", "From a request's headers to the answer's end, that of the upstream included.", c.Day.latencies()},
	}}
	c.show(w, r, id, http.StatusOK, "pictures.html", frame{Title: "The last day", Here: c.Prefix + "/pictures", Page: page})
}

// The picture's size, in units of its own.
const (
	chartWidth, chartHeight = 480, 96
	barWidth                = chartWidth / daySlots
)

// bar is a value as a rectangle.
type bar struct {
	X, Y, Width, Height string
}

// Bars are the values as rectangles, the greatest as high as the picture.
func (c Chart) Bars() (all []bar) {
	most := c.Most()
	for i, v := range c.Values {
		if v <= 0 {
			continue
		}
		height := max(2, v/most*chartHeight)
		all = append(all, bar{strconv.Itoa(i*barWidth + 1), number(chartHeight - height), strconv.Itoa(barWidth - 2), number(height)})
	}
	return all
}

// Most is the greatest value.
func (c Chart) Most() float64 {
	if len(c.Values) == 0 {
		return 0
	}
	return slices.Max(c.Values)
}

// number writes a value without digits that nobody needs.
func number(v float64) string {
	if v >= 100 || v == float64(int64(v)) {
		return strconv.FormatFloat(v, 'f', 0, 64)
	}
	return strconv.FormatFloat(v, 'f', 1, 64)
}

func (c Chart) unit(v float64) string { return strings.TrimSpace(number(v) + " " + c.Unit) }

// Sum is the chart in a few words.
func (c Chart) Sum() string {
	most := c.Most()
	peak := "none in the last day"
	if most > 0 {
		i := slices.Index(c.Values, most)
		peak = fmt.Sprintf("at most %s, from %s UTC", c.unit(most), c.at(i))
	}
	if c.Total <= 0 {
		return peak
	}
	return number(c.Total) + " in the last day; " + peak
}

func (c Chart) at(i int) string { return c.From.Add(time.Duration(i) * slotTime).Format("15:04") }

// Begin, Middle and End return the times below the picture.
func (c Chart) Begin() string  { return c.at(0) }
func (c Chart) Middle() string { return c.at(daySlots / 2) }
func (c Chart) End() string    { return c.at(daySlots) }

// Rows returns the values that are not zero, as text.
func (c Chart) Rows() (all [][2]string) {
	for i, v := range c.Values {
		if v > 0 {
			all = append(all, [2]string{c.From.Add(time.Duration(i) * slotTime).Format("2006-01-02 15:04"), c.unit(v)})
		}
	}
	return all
}
