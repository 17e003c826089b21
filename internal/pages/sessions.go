package pages

import "time"

// Sessions shows a person their sessions, and ends them.
type Sessions struct {
	SignedInAs string
	List       []Session
	Ended      string   // what was just ended: "one", "others"; empty: nothing
	Elsewhere  bool     // there may be others, which only their browsers can end
	Action     string   // URL that takes what is to end, as end: the ID of one, "others", "everywhere"
	Home       string   // URL to go on at
	Redirects  []string // origins that the answers to the forms lead through
}

// Session is one of a person's.
type Session struct {
	ID       string
	Browser  string // and its system, as the browser says; empty: nobody knows
	System   string
	Address  string // where the sign-in came from; empty: nobody knows
	SignedIn time.Time
	LastUsed time.Time // zero: nobody knows
	Current  bool      // it is the browser's that asks
}

func (v Sessions) layout(t tongue) layout {
	part := Section{}
	end := func(which, text, what string, quiet bool) Form {
		return Form{URL: v.Action, Text: t.say(text), For: what, Quiet: quiet, Fields: []Field{{Name: "end", Value: which}}}
	}
	others := false
	for _, s := range v.List {
		item := Item{Title: t.browserOf(s), Lines: []string{t.say("Signed in on %s", s.SignedIn)}}
		if s.Address != "" {
			item.Lines[0] = t.say("Signed in on %s from %s", s.SignedIn, s.Address)
		}
		if !s.LastUsed.IsZero() {
			item.Lines = append(item.Lines, t.say("Last used about %s", s.LastUsed))
		}
		if s.Current {
			item.Tag = t.say("This browser")
		} else {
			others = true
			item.Forms = []Form{end(s.ID, "End", item.Title+", "+item.Lines[0], true)}
		}
		part.Items = append(part.Items, item)
	}
	if others {
		part.Forms = append(part.Forms, end("others", "End all others", "", false))
	}
	part.Forms = append(part.Forms, end("everywhere", "Sign out everywhere", "", true))
	out := layout{
		Title: t.say("Your sessions"), Message: t.say("Each of these is a browser in which you are signed in here."), SignedInAs: v.SignedInAs,
		Links: []action{{URL: v.Home, Text: t.say("Go to the start page")}}, redirects: v.Redirects,
	}
	switch v.Ended {
	case "one":
		out.Notice = t.say("The session has ended.")
	case "others":
		out.Notice = t.say("All other sessions have ended.")
	}
	if out.Notice != "" {
		part.Message = t.say("The sign-in service still accepts the tokens in the browser of an ended session until they expire. If somebody else has that browser, sign out everywhere. This service then accepts nothing from it.")
	}
	if v.Elsewhere {
		part.Message = t.say("Your browsers store your sessions. This page does not show those of your other browsers. They end when you sign out everywhere.")
	}
	out.Sections = []Section{part}
	return out
}

func (t tongue) browserOf(s Session) string {
	switch {
	case s.Browser == "" && s.System == "":
		return t.say("Unknown browser")
	case s.System == "":
		return plain(s.Browser)
	case s.Browser == "":
		return plain(s.System)
	}
	return t.say("%s on %s", s.Browser, s.System)
}

// SignedOutEverywhere says what became of it, where not all could be done.
type SignedOutEverywhere struct {
	RefreshTokens  bool   // the pool was not told of them
	LoginSessions  bool   // its pages may still know the person in other browsers
	OtherProcesses bool   // of this service were not told
	Next           string // URL to go on at
}

func (v SignedOutEverywhere) layout(t tongue) layout {
	out := layout{
		Mark: leaving, Title: t.say("You are signed out"), Message: t.say("Your sessions here have ended. This could not be done:"),
		Links: []action{{URL: v.Next, Text: t.say("Continue")}},
	}
	if v.RefreshTokens {
		out.Details = append(out.Details, t.say("The sign-in service could not be notified. Other apps and browsers can still use their sessions there. This service accepts nothing from them."))
	}
	if v.LoginSessions {
		out.Details = append(out.Details, t.say("In other browsers the sign-in page may still know you. This service has it ask who you are at the next sign-in."))
	}
	if v.OtherProcesses {
		out.Details = append(out.Details, t.say("Other parts of this service could not be notified. They accept earlier sign-ins until those expire."))
	}
	return out
}
