package api

import (
	"context"
	"encoding/json"
	"maps"
)

// provided are the settings of a style that Cognito has of its own, as far as the pages here
// know them.
const provided = `{
"categories": {
  "auth": {"authMethodOrder": [[{"display": "BUTTON", "type": "FEDERATED"}, {"display": "INPUT", "type": "USERNAME_PASSWORD"}]], "federation": {"interfaceStyle": "BUTTON_LIST", "order": []}},
  "form": {"displayGraphics": true, "instructions": {"enabled": false}, "languageSelector": {"enabled": false}, "location": {"horizontal": "CENTER", "vertical": "CENTER"}, "sessionTimerDisplay": "NONE"},
  "global": {"colorSchemeMode": "LIGHT", "pageFooter": {"enabled": false}, "pageHeader": {"enabled": false}, "spacingDensity": "REGULAR"},
  "signUp": {"acceptanceElements": [{"enforcement": "NONE", "textKey": "en"}]}
},
"componentClasses": {
  "buttons": {"borderRadius": 8.0},
  "input": {"borderRadius": 8.0, "lightMode": {"defaults": {"backgroundColor": "ffffffff", "borderColor": "7d8998ff"}}, "darkMode": {"defaults": {"backgroundColor": "0f1b2aff", "borderColor": "5f6b7aff"}}}
},
"components": {
  "form": {"borderRadius": 8.0, "backgroundImage": {"enabled": false}, "logo": {"enabled": false, "formInclusion": "IN", "location": "CENTER", "position": "TOP"},
    "lightMode": {"backgroundColor": "ffffffff", "borderColor": "c6c6cdff"}, "darkMode": {"backgroundColor": "0f1b2aff", "borderColor": "424650ff"}},
  "pageBackground": {"image": {"enabled": true}, "lightMode": {"color": "ffffffff"}, "darkMode": {"color": "0f1b2aff"}},
  "pageText": {"lightMode": {"bodyColor": "414d5cff", "descriptionColor": "414d5cff", "headingColor": "000716ff"}, "darkMode": {"bodyColor": "b6bec9ff", "descriptionColor": "b6bec9ff", "headingColor": "d1d5dbff"}},
  "primaryButton": {"lightMode": {"defaults": {"backgroundColor": "0972d3ff", "textColor": "ffffffff"}}, "darkMode": {"defaults": {"backgroundColor": "539fe5ff", "textColor": "000716ff"}}}
}}`

// merging describes a style with all its settings, where a request asks for that: its own
// over those that Cognito has.
func merging(op operation) operation {
	serve := op.serve
	op.serve = func(ctx context.Context, a *API, body []byte) (any, error) {
		answer, err := serve(ctx, a, body)
		if err != nil || string(membersOf(body)["ReturnMergedResources"]) != "true" {
			return answer, err
		}
		all, _ := answer.(map[string]any)
		style, _ := all[brandings.member].(map[string]any)
		var settings, own map[string]any
		if err := json.Unmarshal([]byte(provided), &settings); err != nil {
			return nil, err
		}
		if raw, ok := style["Settings"].(json.RawMessage); ok {
			if err := json.Unmarshal(raw, &own); err != nil {
				return nil, err
			}
		}
		shown := maps.Clone(style)
		shown["Settings"] = over(settings, own)
		return map[string]any{brandings.member: shown}, nil
	}
	return op
}

// over puts settings over others, member by member.
func over(below, above map[string]any) map[string]any {
	for name, value := range above {
		deeper, structure := value.(map[string]any)
		under, also := below[name].(map[string]any)
		if structure && also {
			value = over(under, deeper)
		}
		below[name] = value
	}
	return below
}
