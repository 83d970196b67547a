"""Sentences on data: files, tables, texts, pictures and sounds."""

from __future__ import annotations

from core.i18n import N_
from core.values import Count, Sentence, Share

DATA_FINDINGS: dict[str, Sentence] = {
    "data.without_leaks": Sentence(
        N_("Without the test examples that are trained on too: {accuracy} of {n} (95%: {low} to {high})."),
        {"accuracy": Share, "n": Count, "low": Share, "high": Share},
    ),
    "data.nothing_new_tested": Sentence(
        N_(
            "Every one of the {n} test examples is trained on too: the accuracy tells what was remembered, and nothing "
            "of new examples."
        ),
        {"n": Count},
    ),
}
DATA_SENTENCES: dict[str, str] = {
    "data.unknown_source": N_("{id} is no data set id. It begins with one of: {known}."),
    "data.which": N_("{name} may be one of several data sets. Write one of: {known}."),
    "data.write": N_("{id} is no data set. Write one of: {known}; or path: and the path of a folder or file."),
    "data.path_missing": N_("There is no file or folder {path} on this machine. Check the spelling."),
    "data.path_not_allowed": N_("{path} lies outside the folders that data may come from here: {roots}."),
    "data.unknown_builtin": N_("There is no data set {id} here. Known: {known}."),
    "data.unknown_upload": N_("There is no uploaded data set {name} here; it may have been deleted. Upload it again."),
    "data.unknown_file": N_("{path} is nothing Graft reads. Give a folder or zip of class folders, {formats}."),
    "data.unreadable_file": N_(
        "{path} cannot be read ({detail}): it is damaged, or not what its name says. Save it anew where it came from."
    ),
    "data.mixed_files": N_("The parquet files of {name} have different columns: they are not one data set."),
    "data.no_label_column": N_(
        "No column with labels was found among: {columns}. Name it label, one class for each row."
    ),
    "data.several_configs": N_("{name} holds several data sets ({folders}). Give the folder of one of them."),
    "data.hub_id": N_("{id} is no data set of a hub. Write hub/ORG/NAME or hub/ORG/NAME:CONFIG."),
    "data.several_labels": N_(
        "Column {column} holds several labels for an example. Graft tells one class each: keep one label."
    ),
    "data.several_labels_left_out": N_(
        "{n} examples have several labels and are left out: Graft tells one class each. Keep one label of each."
    ),
    "data.unlabelled": N_("{n} pictures have no label and are left out."),
    "data.hub_unreachable": N_(
        "{id} could not be loaded: {detail}. Check the name and the network, or give a folder with path:."
    ),
    "data.cifar10_not_here": N_(
        "CIFAR-10 is not on this machine and could not be downloaded. "
        "Put cifar-10-python.tar.gz from {url} into {folder}."
    ),
    "data.no_train_split": N_("{id} has nothing labelled to train on; it has: {splits}."),
    "data.one_class": N_("All {n} examples are of one class ({label}). At least two classes are needed to tell apart."),
    "data.too_few": N_("{n} examples for {classes} classes are very few: the result will mean little."),
    "data.too_few_to_train": N_(
        "{n} examples are too few to train on: once some choose the best epoch and some test, {left} are left, of one "
        "class. Bring at least two examples of each class, four in all."
    ),
    "data.empty_class": N_("{n} classes have no training example and cannot be learned: {labels}."),
    "data.unbalanced": N_(
        "Classes are uneven: {many} training examples of {common}, {few} of {rare}. Weigh classes equally "
        "(More settings), and look at the rare class in the result, not at the accuracy alone."
    ),
    "data.single_picture": N_("{n} classes have a single training example: {labels}."),
    "data.labels_look_alike": N_(
        "{n} classes are written in several ways that look the same, and each is taken as one: {names}."
    ),
    "data.split_column_unclear": N_(
        "Column {column} is passed over: it holds {values} beside names of splits, so that every row counts as one "
        "to train on. Write train, validation or test into each row."
    ),
    "data.labels_alike": N_("Classes {a} and {b} differ only in capitals or blanks. Are they one class?"),
    "data.nothing_readable": N_("None of the {n} training examples can be read. Check the files."),
    "data.class_unreadable": N_(
        "{n} classes have no picture that can be read: {labels}. Replace the files or remove them."
    ),
    "data.test_unreadable": N_(
        "None of the {n} test pictures can be read. Replace the files or remove the test folder."
    ),
    "data.fewer_than_asked": N_("{asked} training examples were asked for; {n} are there to train on."),
    "data.unreadable": N_("{n} files are no readable pictures and are left out: {names}."),
    "data.too_large": N_(
        "{n} pictures are too large and are left out: {names}. At most 100 million pixels and 64 MB are read, of WebP, "
        "HEIC and AVIF a quarter to a half of that."
    ),
    "data.turn_unknown": N_(
        "{n} pictures say in a way that cannot be read how they are to be turned, and are taken as they lie: {names}. "
        "Turn them in a picture editor if they lie on their side."
    ),
    "data.nearly_flat": N_(
        "{n} pictures of 16 or 32 bits use so little of their range, or go so far beyond it, that the model sees "
        "nearly one colour: {names}. Spread their values over the whole range, or save them with 8 bits."
    ),
    "data.leak": N_("{n} of {total} test pictures are among the training pictures too: the result will flatter."),
    "data.validation_leak": N_(
        "{n} of {total} validation examples are among the training examples too: what is chosen by them was partly "
        "learned by heart."
    ),
    "data.duplicates": N_(
        "{n} training pictures are exact copies of others. Where Graft draws the test it holds each picture once, "
        "and none that is trained on."
    ),
    "data.contradictions": N_(
        "{n} pictures stand under several classes, byte for byte the same: {names}. Decide on one class for each: "
        "no model can be right about all of them."
    ),
    "data.all_alike": N_("All {n} training pictures are copies of one: there is nothing to learn from."),
    "data.test_one_class": N_(
        "All {n} test examples are of one class ({label}): the accuracy tells how often that class is found and "
        "nothing of the others. Put examples of every class into the test."
    ),
    "data.untested_classes": N_(
        "{n} classes stand nowhere in the test, so that the accuracy says nothing of them: {labels}."
    ),
    "data.validation_one_class": N_(
        "All {n} validation examples are of one class ({label}): the best epoch is chosen by that class alone. "
        "Put examples of every class into the validation."
    ),
    "data.picture_unreadable": N_("{name} is not a picture that can be read, or it is cut short."),
    "data.picture_too_large": N_("{name} is too large: {size}; at most {limit} are read."),
    "data.no_pictures": N_(
        "No pictures were found in {name} ({n} other files). Pack one folder for each class, with pictures in it."
    ),
    "data.no_class_folders": N_(
        "The {n} pictures in {name} lie in no class folder. Put each class into a folder of its name, or a table "
        "metadata.csv with the columns file_name and label beside them."
    ),
    "data.classes_in_names": N_(
        "The {n} pictures in {name} lie in no class folder, but their names seem to begin with their classes "
        "({labels}). Put each class into a folder of its name."
    ),
    "data.only_archives": N_(
        "{name} holds no pictures but {n} other archives ({entry}), which are not opened. Unpack them and pack again."
    ),
    "data.loose_pictures": N_("{n} pictures lie in no class folder and are left out: {names}."),
    "data.nested_folders": N_("{n} pictures lie in folders inside class folders; the outer folder counts: {names}."),
    "data.empty_folder": N_("{n} class folders hold no pictures and are left out: {names}."),
    "data.other_files": N_("{n} files are no pictures by their names and are left out: {names}."),
    "data.folder_too_large": N_("{name} holds more than {limit} files. Give the folder of the pictures alone."),
    "data.whole_disk": N_("{path} is the whole disk. Give the folder that holds the data."),
    "data.too_many_files": N_("{name} holds more than {limit} files. Take fewer, or give a folder with path:."),
    "data.unknown_tokens": N_(
        "{model} does not know {share} of the tokens in these texts: it was made for another language and will "
        "learn little from them. Take a model for this language."
    ),
    "data.not_an_upload": N_(
        "{name} is nothing Graft reads. Upload a zip with a folder for each class, or a {formats} with a text and a "
        "label in each row."
    ),
    "data.upload_too_large": N_(
        "More than {limit} MB cannot be uploaded. Put the file on this machine and give its path."
    ),
    "data.zip_damaged": N_("The zip {name} cannot be read: {detail}. Pack it again."),
    "data.zip_unsafe_path": N_("The zip {name} is refused: {n} entries point outside it ({entry})."),
    "data.zip_symlink": N_("The zip {name} is refused: {n} entries are links ({entry}). Pack the files themselves."),
    "data.zip_encrypted": N_("The zip {name} is encrypted ({n} files). Pack it without a password."),
    "data.zip_bomb": N_("The zip {name} is refused: {n} entries unpack to over 200 times their size ({entry})."),
    "data.zip_packing": N_(
        "The zip {name} is refused: {n} entries are packed in a way that takes too much memory to open ({entry}). Pack "
        "it with the usual method (deflate)."
    ),
    "data.zip_too_large": N_("The zip {name} is refused: it would unpack to {size}, or its entries overlap."),
    "data.not_pictures": N_("{id} holds texts, and this model learns from pictures. Choose a model for texts."),
    "data.not_texts": N_("{id} holds pictures, and this model learns from texts. Choose a model for pictures."),
    "data.no_text_column": N_(
        "No column with texts or pictures was found among: {columns}. Name it text, one text for each row."
    ),
    "data.no_such_column": N_("There is no column {column}; there are: {columns}. Choose one of these."),
    "data.same_column": N_("Column {column} cannot hold both the texts and their labels. Choose two columns."),
    "data.too_many_classes": N_(
        "Column {column} holds {n} different labels; at most {limit} classes can be told apart. "
        "Choose the column of the labels."
    ),
    "data.unlabelled_texts": N_("{n} texts have no label and are left out."),
    "data.empty_texts": N_("{n} rows hold a label but no text and are left out."),
    "data.markup": N_("{n} texts held HTML; its marks were taken out, the words stay."),
    "data.long_texts": N_("{n} texts are longer than {limit} characters; only their beginning is read."),
    "data.control_characters": N_("{n} texts held control characters, which were taken out."),
    "data.text_leak": N_("{n} of {total} test texts are among the training texts too: the result will flatter."),
    "data.text_duplicates": N_(
        "{n} training texts are copies of others. Where Graft draws the test it holds each text once, "
        "and none that is trained on."
    ),
    "data.text_contradictions": N_(
        "{n} texts stand under several classes: {names}. Decide on one class for each: no model can be right about "
        "all of them."
    ),
    "data.all_texts_alike": N_("All {n} training texts are copies of one: there is nothing to learn from."),
    "data.only_tables": N_("{name} holds tables ({entry}) and no pictures. Bring the table itself, not in a zip."),
    "data.too_many_tables": N_(
        "{name} holds {n} tables; at most {limit} are read. Put the texts into one table with columns text and label."
    ),
    "data.table_left_out": N_("{n} tables lack a column of {columns} and are left out: {names}."),
    "data.table_too_large": N_("{name} is larger than the {limit} MB a table may have. Keep it as parquet, or cut it."),
    "data.too_many_rows": N_("{name} has more than {limit} rows. Take a part of it."),
    "data.too_many_columns": N_(
        "{name} has more than {limit} columns: no table of texts has so many. Keep the text, the label and what "
        "you need beside them."
    ),
    "data.table_unfolds": N_(
        "{name} unfolds to more than the {limit} MB that a table may take in memory. Take a part of it, or only the "
        "columns of texts and labels."
    ),
    "data.reading_too_much": N_(
        "{name} cannot be read here: it takes more than {limit} MB of memory or {seconds} seconds to open. Take a part "
        "of it, or save it in a simpler form."
    ),
    "data.parquet_bomb": N_(
        "{name} is refused: its column {column} unpacks to over 200 times its size. Write the file again from its data."
    ),
    "data.json_shape": N_(
        "{name} is JSON, but not of rows that Graft knows. Write one object for each row, as pandas does with "
        'to_json(orient="records", lines=True).'
    ),
    "data.json_list_broken": N_(
        "{name} cannot be read: its list is broken at character {place}. Save it anew where it came from."
    ),
    "data.web_page": N_(
        "{name} is a web page, not a table: perhaps the page about the file, or one that asks to sign in, was saved. "
        "Download the file itself; a table in a page goes through a spreadsheet, saved as xlsx or csv."
    ),
    "data.json_deep": N_(
        "{name} holds lists or objects nested too deep to be a table. Write one object for each row, with plain cells."
    ),
    "data.empty_table": N_("{name} holds no rows. Check that it is the right file."),
    "data.no_table": N_(
        "{name} is not a table: its rows do not share columns. The first row names them, the others have a cell each."
    ),
    "data.one_column": N_("{name} has a single column ({columns}). A table needs one of texts and one of labels."),
    "data.no_header": N_("The first row of {name} is no row of column names: its columns are numbered."),
    "data.first_line_kept": N_("The first line of {name} is read as a text like the others, not as the column's name."),
    "data.lines_before_table": N_("{n} lines above the table in {name} are no part of it and are left out: {first}."),
    "data.repeated_header": N_("{n} rows of {name} name the columns once more and are left out."),
    "data.stray_quotes": N_("{n} quotes in {name} open nothing and are read as characters of the text."),
    "data.rows_in_cells": N_(
        "{n} cells of {name} hold line breaks, and each of their lines looks like a row. They are read as one text "
        "each; if they are rows, take out the quote before the first."
    ),
    "data.separators_in_texts": N_(
        "{n} rows of {name} hold the separator within their text, without quotes around it; each was read as one text."
    ),
    "data.label_guessed": N_(
        "The classes are taken from column {column}. If they stand in another one ({others}), choose that one."
    ),
    "data.ragged_rows": N_("{n} rows of {name} do not have {wanted} cells as the first row and are left out."),
    "data.ragged_rows_kept": N_(
        "{n} rows of {name} do not have {wanted} cells as the first row: missing cells are empty, "
        "surplus ones stand in the last column."
    ),
    "data.formulas_without_values": N_(
        "{n} cells of {name} hold formulas without their results and count as empty. Open it in a spreadsheet, "
        "save it, and bring it again."
    ),
    "data.bad_lines": N_("{n} lines of {name} are no JSON objects and are left out."),
    "data.sheet_taken": N_("Of {name} the sheet {sheet} is read; {n} others are left out."),
    "data.rows_above": N_(
        "The columns of {name} are named in row {row} of sheet {sheet}; what stands above is left out."
    ),
    "data.no_table_in_sheets": N_(
        "No sheet of {name} holds a table of at least two columns with rows below their names. Looked at: {sheets}."
    ),
    "data.sheet_too_large": N_(
        "The sheet of {name} is larger than the {limit} MB that are read of one. Save it as csv."
    ),
    "data.error_cells": N_(
        "{n} cells of {name} hold an error of a spreadsheet ({example}) and count as empty. Mend them there, and bring "
        "it again."
    ),
    "data.other_sheets": N_("Only the first sheet of {name} is read; {n} others are left out."),
    "data.pictures_not_in_table": N_("{n} pictures are named in no table of classes and are left out: {names}."),
    "data.texts_left_out": N_("{n} files are no text in a class folder and are left out: {names}."),
    "data.files_of_other_encodings": N_(
        "{n} files are not UTF-8 and were read as what they look like: {names}. If their texts look wrong, save them "
        "as UTF-8."
    ),
    "data.files_of_no_encoding": N_("The encoding of {n} files is unknown: they are left out. Save as UTF-8: {names}."),
    "data.encoding_guessed": N_(
        "{name} is not UTF-8 and was read as {encoding}. If the texts look wrong, save it as UTF-8."
    ),
    "data.encoding_mixed": N_(
        "{name} is UTF-8 but for {n} bytes, which were read as Western characters (Windows-1252), as £ or é."
    ),
    "data.encoding_unknown": N_("The encoding of {name} is unknown. Save it as UTF-8."),
    "data.damaged_characters": N_("{n} characters of {name} are damaged (no UTF-8) and stand as �."),
    "sound.not_wav": N_(
        "{name} is no wav recording ({format}). Convert it first, for instance with `ffmpeg -i FILE sound.wav`."
    ),
    "sound.damaged": N_("{name} cannot be read as a wav recording: {detail}."),
    "sound.empty": N_("{name} holds no sound."),
    "sound.too_large": N_("{name} is larger than {limit} MB. Give a shorter recording."),
    "sound.too_long": N_("{name} is {minutes} minutes long; at most {limit} are written down."),
}
