"""The software bill of materials of an image, as CycloneDX JSON."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from alchemy.parts import cpe

# the spelling of package URLs for ebuilds that scanners use (pkg:ebuild/CATEGORY/NAME@VERSION)
_PURL_TYPE = "ebuild"

# a binary package of Debian, which some ebuilds unpack: NAME_VERSION_ARCHITECTURE.deb
_DEB = re.compile(r"(?P<name>[a-z0-9][a-z0-9+.-]*)_(?P<version>[A-Za-z0-9.+~-]+)_(?P<arch>all|amd64|arm64)\.deb")


def document(manifest: Mapping[str, Any], epoch: int) -> str:
    """Returns the bill of materials for a manifest.json: each package with its version, USE flags, licence and the
    digests of its sources, the kernel, the files of bin/, and the inputs of the build.

    Scanners find a package by its CPE or package URL. An ebuild that unpacks Debian's binary of the same name has
    Debian's package URL. Other Debian packages that ebuilds unpack are components of their own.

    The same manifest gives the same bytes: `epoch` is the timestamp, in seconds, and the serial number is a digest.
    """
    # importing these takes 0.3 s, and most runs build no bundle
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

    def repository(url: str) -> list[ExternalReference]:
        return [ExternalReference(type=ExternalReferenceType.VCS, url=XsUri(url))] if url else []

    def debian(match: re.Match[str]) -> PackageURL:
        return PackageURL("deb", "debian", match["name"], match["version"], {"arch": match["arch"]})

    def debs(entry: Mapping[str, Any]) -> dict[str, re.Match[str]]:
        found = (_DEB.fullmatch(file["name"]) for file in entry["sources"])
        return {match["name"]: match for match in found if match}

    def unpacked(packages: Iterable[Mapping[str, Any]]) -> list[Component]:
        matches = {
            match[0]: match for entry in packages for name, match in debs(entry).items() if name != entry["name"]
        }
        return [
            Component(
                type=ComponentType.LIBRARY, bom_ref=str(debian(match)),
                name=match["name"], version=match["version"], purl=debian(match),
            )
            for match in matches.values()
        ]  # fmt: skip

    def package(entry: Mapping[str, Any]) -> Component:
        ebuild = PackageURL(_PURL_TYPE, entry["category"], entry["name"], entry["version"])
        deb = debs(entry).get(entry["name"])
        return Component(
            type=ComponentType.APPLICATION,
            bom_ref=f"{ebuild}:{entry['slot']}",
            group=entry["category"],
            name=entry["name"],
            version=entry["version"],
            purl=debian(deb) if deb else ebuild,
            cpe=cpe.of_package(entry["cpe"], entry["version"]),
            # Portage's names of licences and its syntax of choices are not SPDX's
            licenses=[DisjunctiveLicense(name=entry["licence"])] if entry["licence"] else [],
            external_references=[*sources(entry["sources"]), *repository(entry["upstream"])],
            properties=properties({"use": " ".join(entry["use"]), "repository": entry["repository"]}),
        )

    release = manifest["kernel"]["release"]
    kernel = Component(
        type=ComponentType.OPERATING_SYSTEM,
        bom_ref="linux",
        name="linux",
        version=release,
        purl=PackageURL("generic", None, "linux", release.split("-")[0]),
        cpe=cpe.of_kernel(release.split("-")[0]),
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
        components=[*map(package, manifest["packages"]), *unpacked(manifest["packages"]), kernel, *files],
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
    """Returns the request and the digest of all that was fetched (stage3, tree, overlays, kernel), and the digests of
    the package sets and of the repositories in overlays/."""
    fetched = {
        f"{name}:{key}": value for name, values in inputs.items() if name != "stages" for key, value in values.items()
    }
    read = {
        name: value for name, value in inputs["stages"]["system"].items() if name.startswith(("overlays/", "packages."))
    }
    return {f"input:{name}": value for name, value in {**fetched, **read}.items()}
