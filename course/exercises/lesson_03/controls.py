"""Lesson 03: the exercises about controls: what may stand in for an image's own prompt, and what its own share is."""

from __future__ import annotations

from course.check import FunctionExercise, Mistake
from course.exercises.lesson_03 import answers, wrong

HERE = "course.exercises.lesson_03.answers"

MEAN = FunctionExercise(
    id="03-mean",
    points=1,
    reference=answers.with_mean,
    cases=answers.mean_cases,
    hints=(
        "One picture for all images: average over the training images, and over nothing else.",
        "train_pictures.mean(0) has shape (C, H, W) and is added to every image of the batch.",
        "return images + train_pictures.mean(0)",
    ),
    mistakes=(
        Mistake(
            "you average over everything, which leaves one number: keep channels, rows and columns",
            wrong.mean_of_batch,
        ),
        Mistake("you average over rows and columns as well: keep the places of the picture", wrong.mean_per_channel),
        Mistake("you average over the channels as well: keep the channels", wrong.mean_over_channels),
        Mistake("you divide by the number of images: divide by that of the pictures", wrong.mean_by_images),
        Mistake(
            "you average the images: average the pictures that were drawn for the training set", wrong.mean_of_images
        ),
        Mistake("you return the mean picture alone: add it to the images", wrong.mean_alone),
        Mistake("you add the sum of all pictures: divide by how many there are", wrong.mean_summed),
    ),
    forbids=(f"{HERE}.with_mean",),
)

ANOTHER = FunctionExercise(
    id="03-another",
    points=2,
    reference=answers.from_another,
    cases=answers.another_cases,
    hints=(
        "Write the order as a circle of images. Everyone gets the picture of the next one in the circle.",
        "order.roll(-1) holds, at place i, who comes after order[i] in the circle.",
        "given = torch.empty_like(pictures); given[order] = pictures[order.roll(-1)]; return given.",
    ),
    mistakes=(
        Mistake(
            "you shuffle the pictures, and in a shuffle an image may keep its own: go around one circle through all",
            wrong.another_shuffled,
        ),
        Mistake(
            "image j gets the picture of image j + 1, whatever `order` says: neighbors in the file may be alike",
            wrong.another_neighbor,
        ),
        Mistake(
            "your circle runs backward: image order[i] gets the picture of order[i + 1], so use roll(-1)",
            wrong.another_backward,
        ),
        Mistake(
            "your result follows `order`, and the images do not: write the pictures to the places order[i]",
            wrong.another_unsorted,
        ),
        Mistake(
            "your circle is open: the last image of the order keeps its own picture, and gets that of the first",
            wrong.another_open,
        ),
        Mistake(
            "you write while you read, so the last image gets what the first has got: read from `pictures` alone",
            wrong.another_while_reading,
        ),
        Mistake("every image gets the mean picture, which is the control before this one", wrong.another_mean),
    ),
    forbids=(f"{HERE}.from_another",),
)

SHARE = FunctionExercise(
    id="03-share",
    points=1,
    reference=answers.own_share,
    cases=answers.share_cases,
    hints=(
        "Take the mean picture away from every picture. What is left is each image's own.",
        "Compare mean squares: of what is left, and of the pictures as they are.",
        "(pictures - pictures.mean(0)).square().mean() / pictures.square().mean()",
    ),
    mistakes=(
        Mistake(
            "you return the share of the mean picture: the images' own share is the rest, 1 − that", wrong.share_of_mean
        ),
        Mistake(
            "you subtract one number: subtract the mean picture, .mean(0), which has a value for every place",
            wrong.share_of_numbers,
        ),
        Mistake(
            "you subtract from each picture its own mean number: subtract the mean picture, .mean(0)",
            wrong.share_of_own_numbers,
        ),
        Mistake("your variance divides by N − 1: divide by N, var(0, correction=0)", wrong.share_unbiased),
        Mistake("your share compares roots: leave out the square root", wrong.share_unsquared),
        Mistake("you return the mean square of what is left: divide by that of the pictures", wrong.share_variance),
    ),
    forbids=(f"{HERE}.own_share", "course.studies.tokens_04.own_share"),
)
