"""Checks bills of materials with CycloneDX's own library: against the schema,
and by reading them, which finds references that lead nowhere."""

import json
import sys
import warnings
from pathlib import Path

from cyclonedx.model.bom import Bom
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

validator = JsonStrictValidator(SchemaVersion.V1_5)
warnings.simplefilter("error")

for name in sys.argv[1:]:
    text = Path(name).read_text()
    wrong = validator.validate_str(text)
    if wrong is not None:
        sys.exit(f"{name}: {wrong}")
    bill = Bom.from_json(json.loads(text))
    bill.validate()
    hashed = sum(bool(component.hashes) for component in bill.components)
    if hashed == 0:
        sys.exit(f"{name}: no component has a hash")
    print(f"{name}: CycloneDX 1.5, {len(bill.components)} components, {hashed} with a hash")
