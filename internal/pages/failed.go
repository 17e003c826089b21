package pages

import "net/http"

// Failed tells that a request has failed, or was refused before anybody knew whose it is.
type Failed struct {
	Status      int    // of the answer
	TooMuch     bool   // the person has more groups, or a longer name, than can be passed on
	TryAgain    string // URL of the same request; empty where it is not safe to repeat
	Correlation string
}

func (v Failed) layout(t tongue) layout {
	out := layout{Mark: warning, Correlation: v.Correlation, Links: []action{{URL: v.TryAgain, Text: t.say("Try again")}}}
	say := func(title, message string) { out.Title, out.Message = t.say(title), t.say(message) }
	switch v.Status {
	case http.StatusForbidden:
		out.Mark = shutDoor
		say("Not allowed", "This service does not answer this request.")
		if v.TooMuch {
			out.Message = t.say("Your account has more groups or a longer name than this service can pass on. Please contact support and quote the reference below.")
		}
	case http.StatusNotFound, http.StatusGone, http.StatusMisdirectedRequest:
		say("This page does not exist", "There is nothing at this address.")
	case http.StatusMethodNotAllowed, http.StatusConflict, http.StatusUnsupportedMediaType:
		say("This cannot be done here", "This address does not accept your request. Nothing has been changed.")
	case http.StatusRequestEntityTooLarge, http.StatusRequestURITooLong:
		say("Too large", "Your request is larger than this service accepts. Nothing has been changed.")
	case http.StatusTooManyRequests:
		say("Too many requests", "Many requests come from your network at the moment. Please wait a little, and try again.")
	case http.StatusRequestHeaderFieldsTooLarge:
		say("Too many cookies", "Your browser sends more cookies than this service accepts. Delete the cookies of this site, and try again.")
	case http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		links := out.Links
		out = Unavailable{Correlation: v.Correlation}.layout(t)
		out.Links = links
	case http.StatusInternalServerError:
		say("Something went wrong", "This is an error of the service. Please try again in a moment.")
	default:
		say("This request cannot be read", "Your browser sent something that this service cannot read. Nothing has been changed.")
	}
	return out
}
