package pages

import "time"

// Examples are pages as people may see them, each view with all that it can say: templates
// are tried with them.
func Examples() []View {
	const mail, reference = "alice@example.com", "q7Xk2mPz9aBd"
	at := time.Date(2026, 2, 3, 14, 5, 0, 0, time.UTC)
	return []View{
		SignInFailed{Message: "The sign-in was not completed.", TryAgain: "/auth/login", Correlation: reference},
		SignedIn{Next: "/reports/"},
		ConfirmSignOut{Action: "/auth/logout", Stay: "/"},
		Unavailable{TryAgain: "/reports/", Correlation: reference}, Unavailable{},
		Denied{SignedInAs: mail, Home: "/", Switch: "/auth/login?prompt=login", Correlation: reference}, Denied{},
		StepUpFirst{SignIn: "/auth/login", Home: "/"},
		StepUpFailed{Level: "urn:cognito:loa:3", Reached: "urn:cognito:loa:1", Within: 5 * time.Minute, Aged: true, TryAgain: "/auth/login", Home: "/", Correlation: reference},
		StepUpFailed{Level: "urn:cognito:loa:3", Home: "/"},
		NotFound{Home: "/"},
		FromElsewhere{Home: "/", Correlation: reference},
		Failed{Status: 400, Correlation: reference}, Failed{Status: 403}, Failed{Status: 403, TooMuch: true, Correlation: reference}, Failed{Status: 404}, Failed{Status: 405},
		Failed{Status: 413}, Failed{Status: 429, TryAgain: "/"}, Failed{Status: 431}, Failed{Status: 500, Correlation: reference}, Failed{Status: 503},
		AskForAgent{
			Client: "Report writer", Document: "agent.example.net", Place: "agent.example.net", Resource: "Reports", Scopes: []string{"reports/read", "reports/write"},
			SignedInAs: mail, Action: "/oauth/consent", Question: "sealed", Origin: "https://agent.example.net",
		},
		AskForAgent{Resource: "Reports", Action: "/oauth/consent", Question: "sealed"},
		AgentRefused{Reason: "The service that the program asks for does not exist any more."}, AgentRefused{Reason: "PKCE is required"},
		Agreements{SignedInAs: mail, Home: "/"},
		Agreements{SignedInAs: mail, Ended: true, More: true, Action: "/oauth/grants", Home: "/", List: []Agreement{
			{Resource: "Reports", Scopes: []string{"reports/read"}, Until: at, Value: "1"}, {Client: "Report writer", Place: "agent.example.net", Resource: "Reports", Until: at, Value: "2"},
		}},
		Sessions{SignedInAs: mail, Action: "/auth/sessions", Home: "/", List: []Session{{Current: true, SignedIn: at}}},
		Sessions{SignedInAs: mail, Action: "/auth/sessions", Ended: "one", List: []Session{
			{ID: "1", Current: true, Browser: "Firefox", System: "Linux", Address: "192.0.2.7", SignedIn: at, LastUsed: at},
			{ID: "2", Browser: "Safari", SignedIn: at}, {ID: "3", System: "Android", SignedIn: at},
		}},
		Sessions{SignedInAs: mail, Action: "/auth/sessions", Ended: "others", Elsewhere: true, List: []Session{{Current: true, SignedIn: at}, {ID: "2", SignedIn: at}}},
		Account{
			Title: "Your account", Message: "Your things here.", SignedInAs: mail, Done: "Your name was changed.", Links: []Link{{URL: "/auth/sessions", Text: "Your sessions"}},
			Sections: []Section{
				{
					Title: "Your name", Message: "Others see it.", Fault: "The name is too long.", Forms: []Form{{
						URL: "/auth/account", Text: "Save", Fields: []Field{{Name: "do", Value: "name"}},
						Inputs: []Input{{Name: "name", Label: "Name", Value: "Alice", Complete: "name", Hint: "As you like it", Most: 60, Needed: true}, {Name: "sure", Label: "I am sure", Type: "checkbox", Value: "1"}},
					}},
				},
				{
					Title: "Your app", Picture: Picture{Name: "QR code", Size: 3, Path: "M0 0h1v1h-1z", Text: "ABCD EFGH"}, Links: []Link{{URL: "/help", Text: "Help"}},
					Items: []Item{{Title: "A passkey", Lines: []string{"Of this computer"}, Links: []Link{{URL: "/passkeys", Text: "See it"}}, Forms: []Form{{URL: "/auth/account", Text: "Remove", For: "A passkey", Quiet: true}}}},
				},
			},
		},
		SignedOutEverywhere{RefreshTokens: true, LoginSessions: true, OtherProcesses: true, Next: "/"},
	}
}
