package mobileq.app;

import android.content.ActivityNotFoundException;
import android.net.Uri;
import android.view.Menu;
import android.view.View;
import android.widget.PopupMenu;
import androidx.activity.ComponentActivity;
import androidx.activity.result.ActivityResultLauncher;
import androidx.activity.result.PickVisualMediaRequest;
import androidx.activity.result.contract.ActivityResultContracts;
import androidx.annotation.Nullable;
import java.util.List;

/** Android's own pickers: of photos and videos, or of a folder. They need no permission. */
final class Pickers {
    /** Takes what was picked. */
    interface Listener {
        /** Photos and videos; none where the person went back. */
        void onPicked(List<Uri> uris);

        /** A folder; null where the person went back. */
        void onFolder(@Nullable Uri tree);

        /** There is no app to pick with. */
        void onNoPicker();
    }

    private final Listener listener;
    private final ActivityResultLauncher<PickVisualMediaRequest> photos;
    private final ActivityResultLauncher<Uri> folders;
    private PopupMenu menu;

    /** To be made before the activity is started. */
    Pickers(ComponentActivity activity, Listener listener) {
        this.listener = listener;
        photos =
                activity.registerForActivityResult(
                        new ActivityResultContracts.PickMultipleVisualMedia(), listener::onPicked);
        folders =
                activity.registerForActivityResult(
                        new ActivityResultContracts.OpenDocumentTree(), listener::onFolder);
    }

    /** Lets the person say which, at a button. */
    void open(View button) {
        menu = new PopupMenu(button.getContext(), button);
        for (int words : new int[] {R.string.pick_photos, R.string.pick_folder}) {
            menu.getMenu().add(Menu.NONE, words, Menu.NONE, words);
        }
        menu.setOnMenuItemClickListener(
                item -> {
                    try {
                        launch(item.getItemId());
                    } catch (ActivityNotFoundException error) {
                        listener.onNoPicker();
                    }
                    return true;
                });
        menu.show();
    }

    /** Shuts the menu that is open, if one is: its window must not outlive the screen's. */
    void close() {
        if (menu != null) {
            menu.dismiss();
        }
    }

    private void launch(int words) {
        if (words == R.string.pick_folder) {
            folders.launch(null);
            return;
        }
        photos.launch(
                new PickVisualMediaRequest.Builder()
                        .setMediaType(
                                ActivityResultContracts.PickVisualMedia.ImageAndVideo.INSTANCE)
                        .build());
    }
}
