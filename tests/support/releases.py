"""Small releases of SNOMED CT (RF2) and RxNorm (RRF), in the published layouts."""

import zipfile
from collections.abc import Sequence
from pathlib import Path

from shared.vocabulary.formats import rf2

US, GB = rf2.DIALECTS
_STAMP = ("20260101", "1", "900000000000207008")
_FEMUR, _ENTIRE, _IMAGING, _CT, _SURGERY = "71341001", "181317001", "363679005", "77477000", "387713003"


def _row(identifier: object, *cells: str, active: str = "1") -> str:
    return "\t".join((str(identifier), _STAMP[0], active, _STAMP[2], *cells))


def _file(header: Sequence[str], rows: Sequence[str]) -> str:
    return "\r\n".join(("\t".join(header), *rows, ""))


def rf2_files() -> dict[str, str]:
    concepts = [_row(one, "900000000000074008") for one in (_FEMUR, _ENTIRE, _IMAGING, _CT, _SURGERY)]
    concepts.append(_row("999", "900000000000074008", active="0"))
    said = [
        (_FEMUR, rf2.FULLY_SPECIFIED, "Bone structure of femur (body structure)", "en"),
        (_FEMUR, rf2.SYNONYM, "Structure of femur", "en"),
        (_ENTIRE, rf2.FULLY_SPECIFIED, "Entire femur (body structure)", "en"),
        (_ENTIRE, rf2.SYNONYM, "Entire femur", "en"),
        (_IMAGING, rf2.FULLY_SPECIFIED, "Imaging (procedure)", "en"),
        (_IMAGING, rf2.SYNONYM, "Imaging", "en"),
        (_IMAGING, rf2.SYNONYM, "Imaging procedure", "en"),
        (_IMAGING, rf2.SYNONYM, "Depiction", "en"),
        (_IMAGING, rf2.SYNONYM, "Bildgebung", "de"),
        (_CT, rf2.FULLY_SPECIFIED, "Computed tomography (procedure)", "en"),
        (_CT, rf2.SYNONYM, "CT scan", "en"),
        (_SURGERY, rf2.FULLY_SPECIFIED, "Surgical procedure (procedure)", "en"),
        ("999", rf2.SYNONYM, "Retired", "en"),
    ]
    descriptions = [
        _row(1000 + number, concept, language, kind, term, "900000000000448009")
        for number, (concept, kind, term, language) in enumerate(said)
    ]
    dialects = [
        *((US, 1001, rf2.PREFERRED), (US, 1003, rf2.PREFERRED), (US, 1005, rf2.PREFERRED), (US, 1010, rf2.PREFERRED)),
        *((GB, 1006, rf2.PREFERRED), (GB, 1005, rf2.ACCEPTABLE)),
    ]
    language = [
        _row(f"r{number}", refset, str(description), acceptability)
        for number, (refset, description, acceptability) in enumerate(dialects)
    ]
    relationships = [
        _row(2000, _CT, _IMAGING, "0", rf2.IS_A, "900000000000011006", "900000000000451002"),
        _row(2001, _ENTIRE, _FEMUR, "0", rf2.IS_A, "900000000000011006", "900000000000451002"),
        _row(2002, _CT, _FEMUR, "1", "363704007", "900000000000011006", "900000000000451002"),
        _row(2003, _SURGERY, _IMAGING, "0", rf2.IS_A, "900000000000011006", "900000000000451002", active="0"),
    ]
    at = "Snapshot/Terminology/sct2_"
    return {
        f"{at}Concept_Snapshot_INT_20260101.txt": _file(rf2.CONCEPT, concepts),
        f"{at}Description_Snapshot-en_INT_20260101.txt": _file(rf2.DESCRIPTION, descriptions),
        f"{at}Relationship_Snapshot_INT_20260101.txt": _file(rf2.RELATIONSHIP, relationships),
        "Snapshot/Refset/Language/der2_cRefset_LanguageSnapshot-en_INT_20260101.txt": _file(rf2.LANGUAGE, language),
        "Full/Terminology/sct2_Concept_Full_INT_20260101.txt": _file(rf2.CONCEPT, [*concepts, *concepts]),
        "Readme_en_20260101.txt": "What this is",
    }


def rf2_release(folder: Path, *, packed: bool) -> Path:
    files = rf2_files()
    if packed:
        path = folder / "SnomedCT_International.zip"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as out:
            for name, text in files.items():
                out.writestr(f"SnomedCT_International/{name}", text)
        return path
    for name, text in files.items():
        path = folder / "release" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8", newline="")
    return folder / "release"


def rrf_release(folder: Path) -> Path:
    path = folder / "RxNorm_full_01052026.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as out:
        names = (
            ("5640", "RXNORM", "IN", "ibuprofen", "N"),
            ("5640", "RXNORM", "SY", "IBU", "N"),
            ("5640", "MTHSPL", "SU", "IBUPROFEN", "N"),
            ("153008", "RXNORM", "BN", "Advil", "N"),
            ("310965", "RXNORM", "SCD", "ibuprofen 200 MG Oral Tablet", "N"),
            ("77", "RXNORM", "IN", "withdrawn", "O"),
        )
        out.writestr(
            "rrf/RXNCONSO.RRF",
            "".join(
                f"{cui}|ENG||||||1|||1|{sab}|{tty}|{cui}|{name}||{gone}||\n" for cui, sab, tty, name, gone in names
            ),
        )
        out.writestr(
            "rrf/RXNREL.RRF",
            "5640||CUI|RO|153008||CUI|tradename_of|1||RXNORM||||N||\n"
            "153008||CUI|RO|5640||CUI|has_tradename|2||RXNORM||||N||\n",
        )
        out.writestr("rrf/RXNSTY.RRF", "5640|T109|A1.4.1.2.1|Organic Chemical|AT1|256|\n")
    return path
