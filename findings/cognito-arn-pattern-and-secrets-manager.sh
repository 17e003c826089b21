#!/usr/bin/env bash
# One would guess: the ARN that Cognito gives for a client secret in Secrets Manager has
# the form that Secrets Manager's own ARNs have, and a check by the published pattern
# takes it.
#
# What happens: Cognito's model has the pattern arn:…:secret/NAME for ClientSecretArn.
# Secrets Manager's own examples, in the same package, are of the form arn:…:secret:NAME.
# None of them matches.
#
# Who meets it: whoever validates a setting by the pattern of the API reference, or
# generates such a check from the model. Treat the ARN as opaque.
#
# botocore 1.44.8. Seen on 2026-11-29.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"

python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check botocore==1.44.8
cat >compare.py <<'PY'
import re, sys
import botocore, botocore.session, botocore.loaders

service = botocore.session.get_session().get_service_model("cognito-idp")
pattern = service.shape_for("UserPoolClientType").members["ClientSecretArn"].metadata["pattern"]
examples = botocore.loaders.Loader().load_service_model("secretsmanager", "examples-1")
arns = sorted(set(re.findall(r"arn:aws:secretsmanager:[^'\"\s]+", repr(examples))))
matching = [arn for arn in arns if re.match(pattern, arn)]
print("botocore", botocore.__version__)
print("pattern of ClientSecretArn:", pattern)
print(f"{len(arns)} ARNs in the examples of Secrets Manager, such as {arns[0]}; {len(matching)} match")
sys.exit(0 if arns and not matching else 1)
PY
venv/bin/python compare.py
