"""The software bill of materials of an image, as CycloneDX JSON."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

# the spelling of package URLs for ebuilds that scanners use (pkg:ebuild/CATEGORY/NAME@VERSION)
_PURL_TYPE = "ebuild"


def document(manifest: Mapping[str, Any], epoch: int) -> str:
    """The bill of materials that says what manifest.json says: each package with its version, USE flags, licence and
    the digests of its sources, the kernel, the files of bin/, and the inputs of the build.

    The same manifest gives the same bytes: `epoch` is its time, in seconds, and its serial number a digest.
    """
    # these cost 0.3 s to import, and most runs write no image
    from cyclonedx.model import ExternalReference, ExternalReferenceType, HashAlgorithm, HashType, Property, XsUri
    from cyclonedx.model.bom import Bom, BomMetaData
    from cyclonedx.model.component import Component, ComponentType
    from cyclonedx.model.license import DisjunctiveLicense
    from cyclonedx.output.json import JsonV1Dot6
    from packageurl import PackageURL

    def properties(values: Mapping[str, str]) -> list[Property]:
        return [Property(name=f"alchemy:{name}", value=value) for name, value in values.items() if value]

    def sources(files: Iterable[Mapping[str, str]]) -> list[ExternalReference]:
        return [
            ExternalReference(
                type=ExternalReferenceType.SOURCE_DISTRIBUTION,
                url=XsUri(file["name"]),
                hashes=[HashType(alg=HashAlgorithm.SHA_512, content=file["sha512"])],
            )
            for file in files
        ]

    def package(entry: Mapping[str, Any]) -> Component:
        purl = PackageURL(_PURL_TYPE, entry["category"], entry["name"], entry["version"])
        return Component(
            type=ComponentType.APPLICATION,
            bom_ref=f"{purl}:{entry['slot']}",
            group=entry["category"],
            name=entry["name"],
            version=entry["version"],
            purl=purl,
            # Portage's names of licences and its syntax of choices are not SPDX's
            licenses=[DisjunctiveLicense(name=entry["licence"])] if entry["licence"] else [],
            external_references=sources(entry["sources"]),
            properties=properties({"use": " ".join(entry["use"]), "repository": entry["repository"]}),
        )

    release = manifest["kernel"]["release"]
    kernel = Component(
        type=ComponentType.OPERATING_SYSTEM,
        bom_ref="linux",
        name="linux",
        version=release,
        purl=PackageURL("generic", None, "linux", release.split("-")[0]),
        properties=properties({"config_sha256": manifest["kernel"]["config_sha256"]}),
    )
    files = [
        Component(
            type=ComponentType.FILE, bom_ref=name, name=name,
            hashes=[HashType(alg=HashAlgorithm.SHA_256, content=file["sha256"])],
        )
        for name, file in manifest["outputs"].items()
    ]  # fmt: skip
    image = Component(
        type=ComponentType.OPERATING_SYSTEM, bom_ref="alchemy", name=manifest["name"], version=manifest["version"]
    )
    bom = Bom(
        serial_number=uuid.uuid5(uuid.NAMESPACE_OID, repr(sorted(manifest["outputs"].items()))),
        components=[*map(package, manifest["packages"]), kernel, *files],
        metadata=BomMetaData(
            timestamp=datetime.fromtimestamp(epoch, UTC),
            component=image,
            properties=properties(
                {
                    "commit": manifest["commit"],
                    **_inputs(manifest["inputs"]),
                }
            ),
        ),
    )
    bom.register_dependency(image, [component for component in bom.components if component.type != ComponentType.FILE])
    return JsonV1Dot6(bom).output_as_string(indent=2) + "\n"


def _inputs(inputs: Mapping[str, Any]) -> dict[str, str]:
    """What was fetched, as it was asked for and with its digest; and the digests of the repositories and package sets
    that the system was built of."""
    fetched = {
        f"{name}:{key}": value for name, values in inputs.items() if name != "stages" for key, value in values.items()
    }
    read = {
        name: value
        for name, value in inputs["stages"]["system"].items()
        if name.startswith(("overlays/", "packages.", "trees"))
    }
    return {f"input:{name}": value for name, value in {**fetched, **read}.items()}
